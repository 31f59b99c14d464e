import type { Call } from '../../src/handler.js';
import { factsOf } from './dialect.js';

/** A URL with the facts of the call in place of their names in braces. */
export function filledUrl(template: string, call: Call, isResumed: boolean): string {
  const facts = factsOf(call, isResumed);
  const values: Readonly<Record<string, () => string>> = {
    call: () => facts.callId,
    stream: () => facts.streamId,
    account: () => facts.accountId,
    from: () => facts.from,
    to: () => facts.to,
    route: () => facts.route,
    resumed: () => (isResumed ? '1' : '0'),
    body: () => Buffer.from(JSON.stringify(facts)).toString('base64'),
  };
  return template.replace(/\{([a-z]+)\}/g, (_, name: string) =>
    encodeURIComponent(wellFormed(values[name]?.() ?? '')),
  );
}

/** Half a surrogate pair cannot be encoded; ids come from the other side. */
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd');
}
