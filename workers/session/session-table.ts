import type { Session } from './session.js';

/**
 * The sessions of one shard by the connection's slot. A record that names an earlier generation of a slot finds
 * nothing: it was on its way when that connection ended.
 */
export class SessionTable {
  readonly #bySlot: (Session | undefined)[];
  #count = 0;

  constructor(slots: number) {
    this.#bySlot = new Array<Session | undefined>(slots).fill(undefined);
  }

  get count(): number {
    return this.#count;
  }

  put(session: Session): void {
    if (this.#bySlot[session.slot] === undefined) this.#count += 1;
    this.#bySlot[session.slot] = session;
  }

  get(slot: number, generation: number): Session | undefined {
    const session = this.#bySlot[slot];
    return session !== undefined && session.generation === generation ? session : undefined;
  }

  remove(session: Session): void {
    if (this.#bySlot[session.slot] !== session) return;
    this.#bySlot[session.slot] = undefined;
    this.#count -= 1;
  }

  /** Every `step`-th slot from `first` on; a session's failure is its own. */
  tick(
    first: number,
    step: number,
    nowMs: number,
    defect: (session: Session, thrown: unknown) => void,
  ): void {
    if (this.#count === 0) return;
    for (let slot = first; slot < this.#bySlot.length; slot += step) {
      const session = this.#bySlot[slot];
      if (session === undefined) continue;
      try {
        session.tick(nowMs);
      } catch (thrown) {
        defect(session, thrown);
      }
    }
  }
}
