/** Why something was put aside. `docs/serializer.md` says what each one means. */
export const serializerDropReasons = [
  // from Plivo
  'bad-input',
  'too-large',
  'bad-json',
  'not-an-object',
  'bad-message',
  'bad-format',
  'bad-digit',
  'bad-payload',
  'unknown-event',
  'other-track',
  // from the application
  'unknown-frame',
  'bad-audio',
  'bad-rate',
  'bad-channels',
  'audio-too-long',
  'bad-dtmf',
  'bad-checkpoint',
  'bad-transport-message',
  'stale-tail',
  // from either
  'closed',
] as const;

export type SerializerDropReason = (typeof serializerDropReasons)[number];
export type SerializerDrops = Record<SerializerDropReason, number>;

/** All reasons at zero. */
export function noDrops(): SerializerDrops {
  return Object.fromEntries(serializerDropReasons.map((reason) => [reason, 0])) as SerializerDrops;
}
