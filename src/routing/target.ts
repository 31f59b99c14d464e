import type { HandlerSource } from '../config/types.js';

/** Where a route leads, for people. */
export function targetText(handler: HandlerSource): string {
  switch (handler.kind) {
    case 'builtin':
      return `handler ${handler.name}`;
    case 'module':
      return `handler ${handler.file}`;
    case 'upstream':
      return `upstream ${handler.name}`;
    case 'lookup':
      return `lookup at ${handler.url}`;
    case 'play':
      return `play ${handler.file}, hang up`;
    case 'reject':
      return `reject: ${handler.why}`;
    case 'redirect':
      return `redirect to ${handler.url}`;
  }
}
