import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fields } from '../../src/plivo/signature.js';
import type { CallResult } from '../generator/messages.js';
import { WebhookSender } from '../round/webhook-sender.js';
import { type StreamFormatName, streamFormats } from '../stream-format.js';
import { readAnswerXml } from './answer-xml.js';
import type { LoadOptions, Target } from './options.js';

type AnswerTarget = Extract<Target, { kind: 'answer' }>;

const closeMsMax = 5_000;

/** Plivo's requests to a voice application (protocol sections 1, 4.4, 6, 7.5), signed if there is a token. */
export class PlivoWebhooks {
  readonly #target: AnswerTarget;
  readonly #sender: WebhookSender;
  readonly #open = new Set<Promise<void>>();

  constructor(
    target: AnswerTarget,
    { authToken, insecure }: Pick<LoadOptions, 'authToken' | 'insecure'>,
  ) {
    this.#target = target;
    // Not tried again: a failure is to be counted, and not to be hidden by a second try.
    this.#sender = new WebhookSender({ authToken, insecure, retries: 0 });
  }

  /** Asks what to do with a call. Throws an `Error` of few words if the answer leads to no stream of that format. */
  async answer(callId: string, format: StreamFormatName): Promise<AnsweredCall> {
    const facts: Fields = [
      ['CallUUID', callId],
      ['From', `1555${randomInt(1_000_000, 9_999_999)}`],
      ['To', '15550000000'],
      ['Direction', 'inbound'],
    ];
    const { answerUrl } = this.#target;
    const fields: Fields = [...facts, ['CallStatus', 'in-progress'], ['Event', 'StartApp']];
    const { status, problem, body } = await this.#sender.send('POST', answerUrl, fields);
    if (status === null) throw new Error(`answer webhook: ${problem}`);
    if (status !== 200) throw new Error(`answer webhook: HTTP ${status}`);
    const stream = readAnswerXml(Buffer.from(body).toString('utf8'));
    if (!stream.isBidirectional) {
      throw new Error(
        'answer webhook: <Stream> is not bidirectional="true": nobody would hear the application',
      );
    }
    if (stream.format !== format) {
      const { encoding, rateHz } = streamFormats[format];
      throw new Error(`answer webhook: <Stream> is not of ${encoding};rate=${rateHz}`);
    }
    return new AnsweredCall(facts, stream, this.#target.hangupUrl, (url, more) => {
      this.#tell(url, more);
    });
  }

  async close(): Promise<void> {
    await Promise.race([Promise.all(this.#open), sleep(closeMsMax, undefined, { ref: false })]);
    await this.#sender.close();
  }

  /** Plivo does not care what is answered, and neither do we. */
  #tell(url: string, fields: Fields): void {
    const told = this.#sender.send('POST', url, fields).then(() => {});
    this.#open.add(told);
    void told.then(() => this.#open.delete(told));
  }
}

/** A call that a voice application answered with a stream. */
export class AnsweredCall {
  readonly streamUrl: string;
  readonly extraHeaders: string;
  readonly #facts: Fields;
  readonly #statusUrl: string | undefined;
  readonly #hangupUrl: string | undefined;
  readonly #tell: (url: string, fields: Fields) => void;
  #streamId = '';

  constructor(
    facts: Fields,
    stream: ReturnType<typeof readAnswerXml>,
    hangupUrl: string | undefined,
    tell: (url: string, fields: Fields) => void,
  ) {
    this.streamUrl = stream.url;
    this.extraHeaders = stream.extraHeaders;
    this.#facts = facts;
    this.#statusUrl = stream.statusUrl;
    this.#hangupUrl = hangupUrl;
    this.#tell = tell;
  }

  started(streamId: string): void {
    this.#streamId = streamId;
    this.#status('StartStream');
  }

  over({ end, lastedMs }: CallResult): void {
    this.#status(end === 'dropped' || end === 'connect-failed' ? 'DroppedStream' : 'StopStream');
    if (this.#hangupUrl === undefined) return;
    const seconds = String(Math.round(lastedMs / 1_000));
    const cause = end === 'hung-up' ? 'API Request' : 'Normal Hangup';
    const ending: Fields = [
      ['CallStatus', 'completed'],
      ['Event', 'Hangup'],
      ['Duration', seconds],
      ['HangupCause', cause],
    ];
    this.#tell(this.#hangupUrl, [...this.#facts, ...ending]);
  }

  #status(event: string): void {
    if (this.#statusUrl === undefined) return;
    const status: Fields = [
      ['StreamID', this.#streamId],
      ['Event', event],
      ['ServiceURL', this.streamUrl],
    ];
    this.#tell(this.#statusUrl, [...this.#facts, ...status]);
  }
}
