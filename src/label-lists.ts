import { recordOutcomes, recordSinks } from './calls/record-sinks.js';
import { refusals } from './front/admission.js';
import { answerOutcomes } from './front/answers.js';
import { captureEnds } from './front/capture.js';
import { arrivals } from './front/stream-tokens.js';
import { credentials } from './front/upgrade-check.js';
import { webhookKinds, webhookOutcomes } from './front/webhooks.js';
import { hangupOutcomes, requestOutcomes } from './hangup/outcome.js';
import type { LabelLists } from './metrics/instruments.js';
import { streamEventNames } from './plivo/webhook.js';

/** The closed lists that labels of metrics come from, each from the place that it belongs to. */
export const labelLists: LabelLists = {
  refusals,
  hangupOutcomes,
  requestOutcomes,
  webhookKinds,
  webhookOutcomes,
  answerOutcomes,
  arrivals,
  credentials,
  streamEvents: streamEventNames,
  recordSinks,
  recordOutcomes,
  captureEnds,
};
