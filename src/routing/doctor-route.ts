import type { RouteConfig } from '../config/types.js';

/**
 * The route of `plivo-gateway doctor`'s own call: an echo that no other call gets, because it takes no share of them. It
 * can only be named in a stream token.
 */
export const doctorRoute: RouteConfig = {
  name: '(doctor)',
  to: [],
  from: [],
  query: {},
  share: 0,
  handler: { kind: 'builtin', name: 'echo' },
  sampleRate: 8_000,
  onStreamLost: 'leave',
  stream: { contentType: 'audio/x-mulaw;rate=8000', after: { kind: 'hangup' } },
};
