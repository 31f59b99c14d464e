import type { Call } from '../../src/handler.js';
import type { Voice } from './dialect.js';

type Members = Readonly<Record<string, unknown>>;

/** What an application may ask for; answers what is wrong, if anything. */
const commands: Readonly<
  Record<string, (call: Call, members: Members, voice: Voice) => string | undefined>
> = {
  clear: (call) => {
    call.clear();
    return undefined;
  },
  checkpoint: (call, { name }) => refusal(call.checkpoint(textOf(name)), 'its name'),
  dtmf: (call, { digits }) => refusal(call.sendDtmf(textOf(digits)), 'its digits'),
  transfer: (call, { url }) => {
    if (typeof url !== 'string') return 'its url is no text';
    void call.transfer(url);
    return undefined;
  },
  leave: (call) => {
    call.leave();
    return undefined;
  },
  end: (_call, _members, voice) => {
    voice.end();
    return undefined;
  },
  cancel: (call) => {
    call.cancel();
    return undefined;
  },
};

/** Numbers are taken for their text; anything else is none. */
const textOf = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : '';

const refusal = (isTaken: boolean, what: string): string | undefined =>
  isTaken ? undefined : `${what} cannot be taken`;

/** Carries out a JSON object with an `event`; answers what is wrong with it, if anything. */
export function runCommand(call: Call, text: string, voice: Voice): string | undefined {
  let members: Members | null;
  try {
    members = JSON.parse(text) as Members | null;
  } catch {
    return 'a text that is no JSON';
  }
  if (typeof members !== 'object' || members === null) return 'a text that is no object';
  const { event } = members;
  if (typeof event !== 'string' || !Object.hasOwn(commands, event)) {
    return 'a text without an event that is known';
  }
  const wrong = commands[event]!(call, members, voice);
  return wrong === undefined ? undefined : `${event}: ${wrong}`;
}
