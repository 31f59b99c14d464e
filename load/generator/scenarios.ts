import type { CallEnd } from './messages.js';

/** What a scenario may make its call do, besides speaking and answering as every call does. */
export interface Actor {
  /** Of the call's own sequence, so that a seed gives the same run again. In 0..1. */
  random(): number;
  press(digit: string): void;
  /** Sends a text message as it stands. */
  sendText(text: string): void;
  sendBinary(bytes: Uint8Array): void;
  /** Packets wait this long, and then leave all at once. */
  stall(ms: number): void;
  stopReading(): void;
  /** Breaks the connection, and comes back with a new stream of the same call. */
  drop(returnAfterMs: number): void;
  sendStart(): void;
  /** Starts talking while the application does. False if it does not. */
  interrupt(): boolean;
}

/** How a call ended, as far as a scenario judges it. */
export interface Ending {
  readonly end: CallEnd;
  readonly closeCode: number;
  readonly lastedMs: number;
  /** The application never ends a call by itself. */
  readonly isEcho: boolean;
}

export interface Scenario {
  /** One line for `--help`. */
  readonly help: string;
  /** The application must come through: what does not come back is lost, what comes late is late. */
  readonly isJudged: boolean;
  /** The ways it may end. */
  isExpected(ending: Ending): boolean;
  /** Called at the given packet of the call (50 a second); answers at which it wants to be called next. */
  readonly act?: (actor: Actor, packet: number) => number;
  /** What differs before the first packet. */
  readonly opening?: 'media-first' | 'no-start' | 'bad-token';
  /** The caller listens and says nothing. */
  readonly isSilent?: boolean;
}

const packetsPerSecond = 50;
const noStartMsMax = 15_000;

function between(actor: Actor, from: number, to: number): number {
  return Math.round(from + actor.random() * (to - from));
}

function runsThrough({ end, closeCode, isEcho }: Ending): boolean {
  if (end === 'completed') return true;
  return !isEcho && (end === 'hung-up' || (end === 'server-closed' && closeCode === 1000));
}

/** Each breaks one thing; a gateway has to go on as if it had not been said (section 10). */
const malformed: readonly (string | Uint8Array)[] = [
  '{"event":"media","media":{"payload":"',
  'no JSON at all',
  '[1,2,3]',
  '{}',
  '{"event":42}',
  '{"event":"incorrectPayload","reason":"bad"}',
  '{"event":"media","media":{"track":"inbound","chunk":1,"payload":"@@@@"}}',
  '{"event":"media","media":null}',
  '{"event":"dtmf","dtmf":{"track":"inbound","digit":"12"}}',
  '{"event":"playedStream","name":"never-asked"}',
  '{"event":"clearedAudio"}',
  new Uint8Array([0, 1, 2, 3]),
  '',
];

export const scenarios = {
  conversation: {
    help: 'speech and silence in turns of 700 ms',
    isJudged: true,
    isExpected: runsThrough,
  },
  dtmf: {
    help: 'a conversation with a key pressed every second',
    isJudged: true,
    isExpected: runsThrough,
    act: (actor, packet) => {
      actor.press('0123456789*#'.charAt(between(actor, 0, 11)));
      return packet + packetsPerSecond;
    },
  },
  'barge-in': {
    help: 'the caller starts talking while the application does; clearAudio is awaited',
    isJudged: true,
    isExpected: runsThrough,
    isSilent: true,
    act: (actor, packet) => packet + (actor.interrupt() ? 3 * packetsPerSecond : 5),
  },
  checkpoints: {
    help: 'the caller listens; playedStream comes when played, and for names never asked for',
    isJudged: true,
    isExpected: runsThrough,
    isSilent: true,
    act: (actor, packet) => {
      actor.sendText('{"event":"playedStream","sequenceNumber":1,"name":"long-forgotten"}');
      return packet + 2 * packetsPerSecond;
    },
  },
  'slow-reader': {
    help: 'stops reading after 2 s',
    isJudged: false,
    isExpected: () => true,
    act: (actor, packet) => {
      if (packet < 2 * packetsPerSecond) return 2 * packetsPerSecond;
      actor.stopReading();
      return Number.POSITIVE_INFINITY;
    },
  },
  jitter: {
    help: 'packets stall for 100 to 400 ms, then come in a burst',
    isJudged: true,
    isExpected: runsThrough,
    act: (actor, packet) => {
      if (packet > 0) actor.stall(between(actor, 100, 400));
      return packet + between(actor, packetsPerSecond, 3 * packetsPerSecond);
    },
  },
  'abrupt-drop': {
    help: 'the connection breaks every 3 to 8 s, and comes back within a second',
    isJudged: true,
    isExpected: runsThrough,
    act: (actor, packet) => {
      if (packet > 0) actor.drop(between(actor, 100, 1_000));
      return packet + between(actor, 3 * packetsPerSecond, 8 * packetsPerSecond);
    },
  },
  malformed: {
    help: 'a message every 200 ms that is broken in one of a dozen ways, amid good ones',
    isJudged: true,
    isExpected: runsThrough,
    act: (actor, packet) => {
      const message = malformed[(packet / 10) % malformed.length];
      if (typeof message === 'string') actor.sendText(message);
      else if (message !== undefined) actor.sendBinary(message);
      return packet + 10;
    },
  },
  oversize: {
    help: 'a message of 70 KB after 2 s, which the server may refuse',
    isJudged: false,
    isExpected: ({ end, closeCode }) =>
      end === 'completed' || (end === 'server-closed' && closeCode === 1009),
    act: (actor, packet) => {
      if (packet < 2 * packetsPerSecond) return 2 * packetsPerSecond;
      const payload = 'A'.repeat(70 * 1_024);
      actor.sendText(`{"event":"media","media":{"track":"inbound","payload":"${payload}"}}`);
      return Number.POSITIVE_INFINITY;
    },
  },
  'early-media': {
    help: 'media before start',
    isJudged: true,
    isExpected: runsThrough,
    opening: 'media-first',
  },
  'duplicate-start': {
    help: 'start again in the middle of the stream',
    isJudged: true,
    isExpected: runsThrough,
    act: (actor, packet) => {
      if (packet > 0) actor.sendStart();
      return packet + 2 * packetsPerSecond;
    },
  },
  'bad-token': {
    help: 'a stream URL that nobody gave out: the server should refuse it',
    isJudged: false,
    isExpected: ({ end }) => end === 'connect-failed',
    opening: 'bad-token',
  },
  'no-start': {
    help: 'connects and says nothing; the server should close within 15 s',
    isJudged: false,
    isExpected: ({ end, lastedMs }) => end === 'server-closed' || lastedMs < noStartMsMax,
    opening: 'no-start',
  },
} as const satisfies Record<string, Scenario>;

export type ScenarioName = keyof typeof scenarios;
export const scenarioNames = Object.keys(scenarios) as ScenarioName[];
