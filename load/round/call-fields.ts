import { randomUUID } from 'node:crypto';
import type { Fields } from '../../src/plivo/signature.js';

export type Direction = 'inbound' | 'outbound';

/** What all webhooks of one call say alike. */
export interface CallFacts {
  readonly callId: string;
  readonly accountId: string;
  readonly from: string;
  readonly to: string;
  readonly direction: Direction;
  /** `X-PH-name` and its value, as they came with the call by SIP. */
  readonly sipHeaders: Fields;
}

/** Why a call ended, in the words of Plivo's hang-up webhook. */
export interface HangupCause {
  readonly name: string;
  readonly code: number;
  readonly source: string;
}

/** How a call of this direction ends. Codes are those of sections 4.3 and 7.4; 4000 is Plivo's for an ordinary end. */
export function hangupCauses(direction: Direction) {
  const ordinary = { name: 'Normal Hangup', code: 4000 };
  return {
    byPerson: { ...ordinary, source: direction === 'inbound' ? 'Caller' : 'Callee' },
    byRest: { ...ordinary, source: 'API Request' },
    byXml: { ...ordinary, source: 'Answer XML' },
    endOfXml: { name: 'End Of XML Instructions', code: 4010, source: 'Plivo' },
    unreachable: { name: 'Error Reaching Answer URL', code: 7011, source: 'Error' },
    invalidXml: { name: 'Invalid Answer XML', code: 8011, source: 'Error' },
  } satisfies Readonly<Record<string, HangupCause>>;
}

/** Fields of the webhooks around a call (protocol sections 1, 4.4, 7.5). */
export class CallFields {
  readonly #call: Fields;
  readonly #all: Fields;

  constructor({ callId, accountId, from, to, direction, sipHeaders }: CallFacts) {
    this.#call = [
      ['CallUUID', callId],
      ['From', from],
      ['To', to],
      ['Direction', direction],
      ['ParentAuthID', accountId],
    ];
    this.#all = [
      ...this.#call,
      ['RequestUUID', randomUUID()],
      ...sipHeaders.map(([name, value]): [string, string] => [`SIP-H-${name}`, value]),
    ];
  }

  /** Asks for a document: `StartApp` of a new call, `Redirect` of one that goes on. */
  document(event: 'StartApp' | 'Redirect'): Fields {
    return [...this.#all, ['CallStatus', 'in-progress'], ['Event', event]];
  }

  streamStatus(event: string, streamId: string, serviceUrl: string, error: string | null): Fields {
    const failure: Fields = error === null ? [] : [['Error', error]];
    return [
      ...this.#call,
      ['StreamID', streamId],
      ['Event', event],
      ['Timestamp', new Date().toISOString().slice(0, 19).replace('T', ' ')],
      ['ServiceURL', serviceUrl],
      ...failure,
    ];
  }

  hangup({ name, code, source }: HangupCause, durationMs: number): Fields {
    return [
      ...this.#all,
      ['CallStatus', 'completed'],
      ['Event', 'Hangup'],
      // The telephone network's word; Plivo's own stands in the name.
      ['HangupCause', 'NORMAL_CLEARING'],
      ['HangupCauseName', name],
      ['HangupCauseCode', String(code)],
      ['HangupSource', source],
      ['Duration', String(Math.round(durationMs / 1_000))],
    ];
  }
}
