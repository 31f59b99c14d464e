import fc from 'fast-check';

/** Generators of media messages as text: the documented form, and what else may come. */

const base64 = fc
  .uint8Array({ maxLength: 40 })
  .map((bytes) => Buffer.from(bytes).toString('base64'));
const space = fc.oneof(
  { weight: 6, arbitrary: fc.constant('') },
  {
    weight: 1,
    arbitrary: fc.string({ unit: fc.constantFrom(' ', '\t', '\n', '\r'), maxLength: 3 }),
  },
);
const whole = fc.nat(2 ** 31).map(String);
/** Numbers may come as strings (protocol reference, section 10, row 8). */
const number = fc.oneof(
  whole,
  whole.map((digits) => `"${digits}"`),
);
const id = fc.uuid().map((uuid) => `"${uuid}"`);
const extraHeaders = fc.oneof(
  fc.constantFrom('""', '"tenant=acme;plan=gold"', '"{X-PH-a: 1,X-PH-b: 2}"', '"a=b,c=%20d"'),
  fc
    .dictionary(fc.string({ maxLength: 5 }), fc.string({ maxLength: 5 }), { maxKeys: 3 })
    .map((headers) => JSON.stringify(JSON.stringify(headers).replace(/[^\x20-\x7e]|\\u/g, ''))),
);

interface Member {
  readonly name: string;
  readonly value: string;
}

/** Members in the order given, with white space wherever JSON allows it. */
function object(members: readonly Member[]): fc.Arbitrary<string> {
  const gaps = fc.array(space, { minLength: 4 * members.length, maxLength: 4 * members.length });
  return gaps.map((gap) => {
    const texts = members.map(
      ({ name, value }, i) =>
        `${gap[4 * i]}"${name}"${gap[4 * i + 1]}:${gap[4 * i + 2]}${value}${gap[4 * i + 3]}`,
    );
    return `{${texts.join(',')}}`;
  });
}

function shuffled(members: readonly Member[]): fc.Arbitrary<Member[]> {
  return fc.shuffledSubarray([...members], { minLength: members.length });
}

const mediaMembers = fc
  .record({
    track: fc.constantFrom('"inbound"', '"outbound"'),
    timestamp: number,
    chunk: number,
    payload: base64.map((text) => `"${text}"`),
  })
  .map((media) => Object.entries(media).map(([name, value]) => ({ name, value })));

function message(media: readonly Member[], extra: readonly Member[]): fc.Arbitrary<string> {
  return fc
    .record({ mediaText: shuffled(media).chain(object), number, id, extraHeaders })
    .chain((parts) =>
      shuffled([
        { name: 'event', value: '"media"' },
        { name: 'sequenceNumber', value: parts.number },
        { name: 'streamId', value: parts.id },
        { name: 'media', value: parts.mediaText },
        { name: 'extra_headers', value: parts.extraHeaders },
        ...extra,
      ]).chain(object),
    );
}

/** Section 2.2 in any order of the members, any white space, numbers also as strings. */
export const documentedMedia: fc.Arbitrary<string> = mediaMembers.chain((media) =>
  message(media, []),
);

const oddValue = fc.oneof(
  fc.constantFrom(
    '01',
    '1e5',
    '-0',
    '1.5',
    '-',
    '+1',
    '0x1',
    'NaN',
    'null',
    'true',
    '',
    '[]',
    '{}',
  ),
  fc.constantFrom('"\\u0041"', '"\\x"', '"a\\"b"', '"\\\\"', '"\\', '"\u0001"', '"\n"', '"ü"', '"'),
  fc.constantFrom('"media"', '"start"', '"inbound"', '"both"', '{"payload":"AAAA"}', '"AA==" "BB"'),
  fc.json({ maxDepth: 2 }),
);
const oddName = fc.constantFrom(
  ...['event', 'media', 'payload', 'track', 'streamId', 'medi\\u0061', '\\u0065vent', 'Event', ''],
  ...['payloae', 'eventx', 'toString', '__proto__', 'pay\\/load', 'tr\u0001ck', 'ütrack'],
);
const oddMember = fc.record({ name: oddName, value: oddValue });

/** Media messages with strange, doubled and changed members. */
const oddMedia: fc.Arbitrary<string> = fc
  .record({
    media: mediaMembers,
    inner: fc.array(oddMember, { maxLength: 2 }),
    outer: fc.array(oddMember, { maxLength: 2 }),
    lost: fc.nat(12),
  })
  .chain(({ media, inner, outer, lost }) =>
    message([...media.filter((_, index) => index !== lost), ...inner], outer),
  );

const bite = fc.constantFrom(
  ...'{}[]:,"\\/ 0e-.+\u0000\u0001\u001f\u007f\n\t',
  'ü',
  '\\u0041',
  '"a"',
);

/** A text with a few characters taken out, put in or changed, or cut off. */
function mutated(text: string): fc.Arbitrary<string> {
  const change = fc.record({ at: fc.nat(text.length), remove: fc.nat(3), put: fc.option(bite) });
  const cut = fc.nat(text.length).map((end) => text.slice(0, end));
  const tail = bite.map((garbage) => text + garbage);
  const changes = fc
    .array(change, { minLength: 1, maxLength: 3 })
    .map((list) =>
      list.reduce(
        (now, { at, remove, put }) => now.slice(0, at) + (put ?? '') + now.slice(at + remove),
        text,
      ),
    );
  return fc.oneof({ weight: 4, arbitrary: changes }, cut, tail);
}

/** Anything from sound to broken. */
export const anyMedia: fc.Arbitrary<string> = fc.oneof(
  documentedMedia,
  oddMedia,
  documentedMedia.chain(mutated),
  oddMedia.chain(mutated),
);
