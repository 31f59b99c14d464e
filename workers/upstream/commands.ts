import type { Call } from '../../src/handler.js';

type Members = Readonly<Record<string, unknown>>;

/** What an application may ask for; answers what is wrong, if anything. */
const commands: Readonly<Record<string, (call: Call, members: Members) => string | undefined>> = {
  clear: (call) => {
    call.clear();
    return undefined;
  },
  checkpoint: (call, { name }) => refusal(call.checkpoint(String(name)), 'its name'),
  dtmf: (call, { digits }) => refusal(call.sendDtmf(String(digits)), 'its digits'),
  transfer: (call, { url }) => {
    if (typeof url !== 'string') return 'its url is no text';
    void call.transfer(url);
    return undefined;
  },
  leave: (call) => {
    call.leave();
    return undefined;
  },
  end: (call) => {
    call.end();
    return undefined;
  },
  cancel: (call) => {
    call.cancel();
    return undefined;
  },
};

const refusal = (isTaken: boolean, what: string): string | undefined =>
  isTaken ? undefined : `${what} cannot be taken`;

/** Carries out a JSON object with an `event`; answers what is wrong with it, if anything. */
export function runCommand(call: Call, text: string): string | undefined {
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
  const wrong = commands[event]!(call, members);
  return wrong === undefined ? undefined : `${event}: ${wrong}`;
}
