import type { Call } from '../../src/handler.js';
import type { StartMessage, Track } from '../../src/plivo/messages.js';
import type { CallFacts } from '../../src/shard/record.js';
import type { Session } from './session.js';

/** The face of a session towards its handler: facts, and commands that go on to the session. */
export class SessionCall implements Call {
  readonly id: string;
  readonly streamId: string;
  readonly accountId: string;
  readonly from: string;
  readonly to: string;
  readonly query: Readonly<Record<string, string>>;
  readonly extraHeaders: Readonly<Record<string, string>>;
  readonly route: string;
  readonly sampleRate: number;
  readonly tracks: readonly Track[];
  readonly encoding: 'mulaw' | 'l16';
  readonly streamRate: number;
  readonly data: Record<string, unknown> = {};
  readonly #session: Session;

  constructor(
    session: Session,
    start: StartMessage,
    facts: CallFacts,
    route: { readonly name: string; readonly sampleRate: number },
  ) {
    this.#session = session;
    this.id = start.callId;
    this.streamId = start.streamId;
    this.accountId = start.accountId;
    this.from = facts.from;
    this.to = facts.to;
    this.query = facts.query;
    this.extraHeaders = start.extraHeaders;
    this.route = route.name;
    this.sampleRate = route.sampleRate;
    this.tracks = start.tracks;
    this.encoding = start.format.encoding;
    this.streamRate = start.format.sampleRate;
  }

  get queuedMs(): number {
    return this.#session.queuedMs();
  }

  play(samples: Int16Array, rate: number = this.sampleRate): boolean {
    return this.#session.play(samples, rate);
  }

  clear(): void {
    this.#session.clear();
  }

  checkpoint(name: string): boolean {
    return this.#session.checkpoint(name);
  }

  sendDtmf(digits: string): boolean {
    return this.#session.sendDtmf(digits);
  }

  end(): void {
    this.#session.end();
  }

  cancel(): void {
    this.#session.cancel();
  }

  transfer(url: string): Promise<boolean> {
    return this.#session.transfer(url);
  }

  leave(): void {
    this.#session.leave();
  }
}
