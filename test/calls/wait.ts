/** Waiting for conditions instead of for times. */

const lookMs = 5;
export const waitMsMax = 8_000;

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until `look` answers something other than false, null or undefined, and answers that. */
export async function until<T>(
  what: string,
  look: () => T | false | null | undefined | Promise<T | false | null | undefined>,
  deadlineMs = waitMsMax,
): Promise<T> {
  const untilMs = performance.now() + deadlineMs;
  for (;;) {
    const found = await look();
    if (found !== false && found !== null && found !== undefined) return found;
    if (performance.now() > untilMs) throw new Error(`waited ${deadlineMs} ms in vain: ${what}`);
    await sleep(lookMs);
  }
}
