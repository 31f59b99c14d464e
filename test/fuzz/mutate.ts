/** Small and fast, and the same for the same seed. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0 || 1;
  }

  /** 0 to `limit - 1`. */
  below(limit: number): number {
    // xorshift32
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % limit;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }
}

/** What breaks parsers: syntax, escapes, ends of numbers, and members that the reader looks for. */
const tokens = [
  ...['{', '}', '[', ']', '"', ':', ',', '\\', '\\"', '\\u0041', '\\ud800', '\\/', '\u0000', '\t'],
  ...['0', '-1', '1e999', '00', '.5', 'null', 'true', '{}', '[]', '""', 'NaN', ' ', '\n', '\ufeff'],
  ...[
    '"event":"media",',
    '"media":{"payload":"AAAA"},',
    '"payload":"fn5+",',
    '"track":"outbound",',
  ],
  ...[
    '"event":null,',
    '"__proto__":{"event":"media"},',
    '"digit":5,',
    'é',
    '中',
    '=',
    '==',
    '-',
    '_',
  ],
].map((token) => Buffer.from(token));

/**
 * A message with a few small wounds: members changed, lost or exchanged while it stays JSON, or
 * bytes changed, lost, doubled and swapped, or both. Once in a thousand it grows around the limit
 * of 64 KB.
 */
export function mutated(random: Random, corpus: readonly Buffer[]): Buffer {
  let bytes = random.below(3) > 0 ? altered(random, corpus) : random.pick(corpus);
  for (let count = random.below(4); count > 1; count -= 1) {
    const at = random.below(bytes.length + 1);
    const end = at + random.below(bytes.length - at + 1);
    bytes = wounded(random, bytes, at, end, random.pick(corpus));
  }
  if (random.below(1_000) > 0) return bytes;
  const at = random.below(bytes.length + 1);
  const filling = Buffer.alloc(random.below(140_000), random.pick(tokens));
  return Buffer.concat([bytes.subarray(0, at), filling, bytes.subarray(at)]);
}

const values: readonly unknown[] = [
  ...[null, true, 0, -1, 1.5, 1e300, '', ' ', 'é', '\ud800', [], {}, [null], { payload: 'AAAA' }],
  ...['media', 'start', 'dtmf', 'stop', 'playedStream', 'played', 'clearedAudio', 'outbound'],
  ...[
    'AAAA',
    'AAA=',
    'AA==',
    'A===',
    'AAA',
    'A',
    'AA-_',
    'AA AA',
    '5',
    'A',
    '#',
    '12',
    8_000,
    '16000',
  ],
  ...['audio/x-l16', 'audio/x-mulaw;rate=8000', 'audio/opus'],
];

/** A message of the corpus with one or two members changed, written with or without white space. */
function altered(random: Random, corpus: readonly Buffer[]): Buffer {
  if (random.below(200) === 0) return Buffer.from(JSON.stringify(random.pick(values)));
  const message = JSON.parse(random.pick(corpus).toString('utf8')) as Record<string, unknown>;
  for (let count = 1 + random.below(2); count > 0; count -= 1) {
    const inner = Object.values(message).filter(isMembers);
    const members = inner.length > 0 && random.below(3) > 0 ? random.pick(inner) : message;
    alter(random, members);
  }
  return Buffer.from(JSON.stringify(message, null, random.below(3) === 0 ? 1 : 0));
}

function alter(random: Random, members: Record<string, unknown>): void {
  const names = Object.keys(members);
  if (names.length === 0) return;
  const [name, other] = [random.pick(names), random.pick(names)];
  const value = members[name];
  switch (random.below(4)) {
    case 0:
      delete members[name];
      return;
    case 1: // to the end
      delete members[name];
      members[name] = value;
      return;
    case 2:
      members[name] = members[other];
      members[other] = value;
      return;
    default:
      members[name] = random.pick(values);
  }
}

function isMembers(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function wounded(random: Random, bytes: Buffer, at: number, end: number, other: Buffer): Buffer {
  const [before, inside, after] = [
    bytes.subarray(0, at),
    bytes.subarray(at, end),
    bytes.subarray(end),
  ];
  const rest = bytes.subarray(at);
  switch (random.below(9)) {
    case 0:
      return Buffer.concat([before, Buffer.from([random.below(256)]), rest.subarray(1)]);
    case 1:
      return Buffer.concat([before, rest.subarray(1)]);
    case 2:
      return Buffer.concat([before, random.pick(tokens), rest]);
    case 3:
      return Buffer.concat([before, random.pick(tokens), after]);
    case 4:
      return before;
    case 5:
      return Buffer.concat([before, after]);
    case 6:
      return Buffer.concat([before, inside.subarray(0, 64), inside, after]);
    case 7:
      return Buffer.concat([after, inside, before]);
    default:
      return Buffer.concat([before, other.subarray(random.below(other.length)), after]);
  }
}
