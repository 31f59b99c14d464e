import type { CallRecordsConfig } from '../config/types.js';
import type { Log } from '../log.js';
import type { CallRecord } from './call-record.js';
import { RecordFile } from './record-file.js';
import { logRecord } from './record-line.js';
import { RecordWebhook } from './record-webhook.js';

/** Where records go; a metric label. */
export const recordSinks = ['log', 'file', 'webhook'] as const;
export type RecordSinkName = (typeof recordSinks)[number];

/** A metric label. `failed`: it could not be written; `dropped`: too many waited. */
export const recordOutcomes = ['written', 'failed', 'dropped'] as const;
export type RecordOutcome = (typeof recordOutcomes)[number];

/** Somewhere that takes time. */
export interface RecordSink {
  /** Takes a record in, or drops it; never waits. */
  write(record: CallRecord): void;
  /** Records that are not written yet. */
  readonly waiting: number;
  /** Writes what waits, for so long at most; what is left then has failed. Never rejects. */
  close(withinMs: number): Promise<void>;
}

/** Hands each call's record to everyone who wants it; none holds up another. */
export class RecordSinks {
  readonly #config: CallRecordsConfig;
  readonly #log: Log;
  readonly #count: (sink: RecordSinkName, outcome: RecordOutcome) => void;
  readonly #file: RecordFile | undefined;
  readonly #webhook: RecordWebhook | undefined;

  constructor(
    config: CallRecordsConfig,
    log: Log,
    count: (sink: RecordSinkName, outcome: RecordOutcome) => void,
  ) {
    this.#config = config;
    this.#log = log;
    this.#count = count;
    const { file, webhook, headers } = config;
    if (file !== undefined) {
      this.#file = new RecordFile(file, log, (outcome) => count('file', outcome));
    }
    if (webhook !== undefined) {
      const told = (outcome: RecordOutcome) => count('webhook', outcome);
      this.#webhook = new RecordWebhook({ url: webhook, headers, log, count: told });
    }
  }

  /** Records that wait for the webhook. */
  get waiting(): number {
    return this.#webhook?.waiting ?? 0;
  }

  write(record: CallRecord): void {
    if (this.#config.log) {
      logRecord(this.#log, record);
      this.#count('log', 'written');
    }
    this.#file?.write(record);
    this.#webhook?.write(record);
  }

  /** The file may have been moved away: what comes now goes into one of the same name. */
  reopen(): void {
    this.#file?.reopen();
  }

  async close(withinMs: number): Promise<void> {
    await Promise.all([this.#file?.close(withinMs), this.#webhook?.close(withinMs)]);
  }
}
