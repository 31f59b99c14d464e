import { setTimeout as sleep } from 'node:timers/promises';
import type { StreamFormatName } from '../stream-format.js';
import type { ViolationName } from '../violations.js';
import type { Probe } from './probe.js';

/** What a rule may use: streams to the server under test. */
export interface Ground {
  open(options?: { format?: StreamFormatName; callId?: string }): Promise<Probe>;
  /** How long the application may take to say something. */
  readonly patienceMs: number;
}

/** Null if the server honours the rule, otherwise what it did instead. */
type Check = (ground: Ground) => Promise<string | null>;

export interface Rule {
  readonly name: string;
  /** Of the protocol reference. */
  readonly section: string;
  readonly text: string;
  readonly check: Check;
}

const speechMs = 600;
const silenceMs = 300;
/** The reference asks for a limit of about ten seconds. */
const noStartMsMax = 15_000;
const closeMsMax = 2_000;

/** Speaks, and sees whether the application still answers. */
async function goesOn(probe: Probe, { patienceMs }: Ground): Promise<string | null> {
  // What answers earlier speech proves nothing: it has come by then.
  if (probe.hasSpoken) await sleep(silenceMs);
  const before = probe.audioBytes;
  const spoken = probe.speak(speechMs);
  const hasAnswered = await probe.until(() => probe.audioBytes > before, speechMs + patienceMs);
  await spoken;
  const { closeCode } = probe;
  if (hasAnswered && closeCode === undefined) return null;
  return closeCode === undefined
    ? 'it says nothing any more'
    : `it closed the stream with code ${closeCode}`;
}

/** A stream that has begun, then something out of the ordinary: the call must go on. */
function survives(provoke: (probe: Probe) => void | Promise<void>): Check {
  return async (ground) => {
    const probe = await ground.open();
    try {
      probe.start();
      await probe.speak(100);
      await provoke(probe);
      return await goesOn(probe, ground);
    } finally {
      probe.close();
    }
  };
}

/** `start` differs from the usual one: the call must begin all the same. */
function begins(change: (start: Record<string, unknown>) => void): Check {
  return async (ground) => {
    const probe = await ground.open();
    try {
      const message = JSON.parse(probe.sender.start()) as Record<string, unknown>;
      change(message);
      probe.text(JSON.stringify(message));
      return await goesOn(probe, ground);
    } finally {
      probe.close();
    }
  };
}

/** Speaks on a stream of that format, and sees what of these is wrong with what comes back. */
function speaks(format: StreamFormatName, wrong: readonly ViolationName[]): Check {
  return async (ground) => {
    const probe = await ground.open({ format });
    try {
      probe.start();
      const silent = await goesOn(probe, ground);
      const found = probe.violations.list().find(({ name }) => wrong.includes(name));
      return found?.detail ?? silent;
    } finally {
      probe.close();
    }
  };
}

const formatViolations: readonly ViolationName[] = [
  ...(['media-missing', 'content-type-wrong'] as const),
  ...(['sample-rate-not-number', 'sample-rate-wrong', 'l16-odd-bytes'] as const),
];

/** Good manners first: what comes last may be the end of a server. */
export const rules: readonly Rule[] = [
  {
    name: 'silent-before-start',
    section: '2.1',
    text: 'says nothing before start',
    check: async (ground) => {
      const probe = await ground.open();
      await probe.until(() => probe.messages > 0, silenceMs);
      probe.close();
      return probe.messages === 0 ? null : 'it spoke before start';
    },
  },
  {
    name: 'answers',
    section: '3.1',
    text: 'answers speech with playAudio',
    check: speaks('mulaw8', []),
  },
  {
    name: 'text-frames',
    section: '1',
    text: 'sends JSON objects with an event, in text frames',
    check: speaks('mulaw8', ['binary-frame', 'not-json', 'not-an-object', 'event-missing']),
  },
  {
    name: 'known-events',
    section: '3',
    text: 'sends events that Plivo knows, with the right streamId',
    check: speaks('mulaw8', ['unknown-event', 'stream-id-missing', 'stream-id-wrong']),
  },
  {
    name: 'play-format',
    section: '3.1',
    text: 'plays in the format of the stream, with a numeric sampleRate',
    check: speaks('mulaw8', formatViolations),
  },
  {
    name: 'play-payload',
    section: '3.1',
    text: 'plays padded base64, at most 16 KB of it, in messages of at most 64 KB',
    check: speaks('mulaw8', [
      ...(['payload-missing', 'payload-not-base64'] as const),
      ...(['payload-too-large', 'message-too-large'] as const),
    ]),
  },
  {
    name: 'l16-8',
    section: '4.2',
    text: 'speaks L16 at 8 kHz on a stream of it',
    check: speaks('l16-8', formatViolations),
  },
  {
    name: 'l16-16',
    section: '4.2',
    text: 'speaks L16 at 16 kHz on a stream of it',
    check: speaks('l16-16', formatViolations),
  },
  {
    name: 'ping',
    section: '7.1',
    text: 'answers a ping',
    check: async (ground) => {
      const probe = await ground.open();
      probe.start();
      const answers = await probe.answersPing(2_000);
      probe.close();
      return answers ? null : 'no pong within 2 s';
    },
  },
  {
    name: 'close',
    section: '7.1',
    text: 'answers a close frame of 1000 with its own',
    check: async (ground) => {
      const probe = await ground.open();
      probe.start();
      await probe.speak(100);
      probe.close();
      const code = await probe.closes(closeMsMax);
      if (code === undefined) return 'no answer within 2 s';
      return code === 1000 ? null : `it answered with ${code}`;
    },
  },
  {
    name: 'two-streams',
    section: '2.8',
    text: 'keeps two calls apart',
    check: async (ground) => {
      const probes = [await ground.open(), await ground.open()];
      for (const probe of probes) probe.start();
      const [one, other] = await Promise.all(probes.map((probe) => goesOn(probe, ground)));
      for (const probe of probes) probe.close();
      return one ?? other ?? null;
    },
  },
  {
    name: 'dtmf',
    section: '2.3',
    text: 'takes a key',
    check: survives((probe) => probe.text(probe.sender.dtmf('5', Date.now()))),
  },
  {
    name: 'field-order',
    section: '2',
    text: 'reads fields in any order, between blanks, and beside others',
    check: survives((probe) =>
      probe.speak(200, (message) => {
        const { event, media, ...rest } = JSON.parse(message) as Record<string, unknown>;
        probe.text(JSON.stringify({ new: { a: [1] }, media, ...rest, event }, null, 2));
      }),
    ),
  },
  {
    name: 'fragments',
    section: '7.1',
    text: 'puts a message in two frames together',
    check: survives((probe) => probe.speak(200, (message) => probe.fragments(message))),
  },
  {
    name: 'no-extra-headers',
    section: '2.1',
    text: 'takes a start without extra_headers',
    check: begins((message) => delete message.extra_headers),
  },
  {
    name: 'rate-as-text',
    section: '10',
    text: 'takes a start whose sampleRate is text',
    check: begins((message) => {
      const { mediaFormat } = message.start as { mediaFormat: { sampleRate: unknown } };
      mediaFormat.sampleRate = '8000';
    }),
  },
  {
    name: 'jitter',
    section: '2.2',
    text: 'comes through 400 ms of nothing and a burst',
    check: survives(async (probe) => {
      await sleep(400);
      for (let i = 0; i < 20; i += 1) probe.text(probe.media());
    }),
  },
  {
    name: 'return',
    section: '7.2',
    text: 'takes a call back whose connection broke',
    check: async (ground) => {
      const first = await ground.open();
      first.start();
      await first.speak(200);
      first.cut();
      const second = await ground.open({ callId: first.callId });
      second.start();
      const silent = await goesOn(second, ground);
      second.close();
      return silent;
    },
  },
  {
    name: 'unknown-event',
    section: '2.7',
    text: 'lets an unknown event pass',
    check: survives((probe) => probe.text('{"event":"incorrectPayload","reason":"too long"}')),
  },
  {
    name: 'stray-answers',
    section: '2.4',
    text: 'lets playedStream and clearedAudio pass that nobody asked for',
    check: survives((probe) => {
      probe.text(probe.sender.playedStream('never-asked'));
      probe.text(probe.sender.clearedAudio());
    }),
  },
  {
    name: 'second-start',
    section: '10',
    text: 'lets a second start pass',
    check: survives((probe) => probe.start()),
  },
  {
    name: 'media-first',
    section: '2.8',
    text: 'lets media before start pass, and says nothing to it',
    check: async (ground) => {
      const probe = await ground.open();
      try {
        probe.text(probe.media());
        await probe.until(() => probe.messages > 0, silenceMs);
        if (probe.messages > 0) return 'it answered before start';
        probe.start();
        return await goesOn(probe, ground);
      } finally {
        probe.close();
      }
    },
  },
  {
    name: 'bad-base64',
    section: '2.2',
    text: 'lets media pass whose payload is no base64, or empty',
    check: survives((probe) => {
      probe.text('{"event":"media","media":{"track":"inbound","chunk":9,"payload":"@@@@"}}');
      probe.text('{"event":"media","media":{"track":"inbound","chunk":9,"payload":""}}');
    }),
  },
  {
    name: 'binary',
    section: '1',
    text: 'lets a binary message pass',
    check: survives((probe) => probe.binary(new Uint8Array([0, 1, 2, 3]))),
  },
  {
    name: 'no-payload',
    section: '2.2',
    text: 'lets media pass that has no media',
    check: survives((probe) => probe.text('{"event":"media"}')),
  },
  {
    name: 'not-json',
    section: '1',
    text: 'lets a message pass that is no JSON',
    check: survives((probe) => probe.text('{"event":"media","media":{"payload":"')),
  },
  {
    name: 'oversize',
    section: '3.1',
    text: 'takes a message of 70 KB, or closes with 1009',
    check: async (ground) => {
      const probe = await ground.open();
      probe.start();
      await probe.speak(100);
      const payload = 'A'.repeat(70 * 1_024);
      probe.text(`{"event":"media","media":{"track":"inbound","payload":"${payload}"}}`);
      const silent = await goesOn(probe, ground);
      const { closeCode } = probe;
      probe.close();
      return closeCode === 1009 ? null : silent;
    },
  },
  {
    name: 'no-start',
    section: '10',
    text: 'closes within 15 s if no start comes',
    check: async (ground) => {
      const probe = await ground.open();
      const code = await probe.closes(noStartMsMax);
      probe.close();
      if (code === undefined) return 'the connection is still open';
      return code === 1006 ? 'it broke the connection without a close frame' : null;
    },
  },
];
