/**
 * Turnaround of an echo, counted in audio: from sending media message n to having received as much
 * audio as had been sent up to and including n. It needs no marks in the sound and does not care
 * how the gateway cuts its answers. Of a handler that speaks by itself it says nothing; `ranAhead`
 * tells: more came back than had been sent.
 */
export class TurnaroundMeter {
  readonly #frameSamples: number;
  readonly #record: (turnaroundMs: number) => void;
  /** When each message was sent that has not come back yet, oldest first, from `#firstOpen` on. */
  #sentAtMs: number[] = [];
  #firstOpen = 0;
  #sentSamples = 0;
  #receivedSamples = 0;
  #returnedSamples = 0;
  #ranAhead = false;

  constructor(frameSamples: number, record: (turnaroundMs: number) => void) {
    this.#frameSamples = frameSamples;
    this.#record = record;
  }

  get ranAhead(): boolean {
    return this.#ranAhead;
  }

  /** True when as much has come back as was sent. */
  get isComplete(): boolean {
    return this.#receivedSamples >= this.#sentSamples;
  }

  sent(atMs: number): void {
    this.#sentAtMs.push(atMs);
    this.#sentSamples += this.#frameSamples;
  }

  received(sampleCount: number, atMs: number): void {
    this.#receivedSamples += sampleCount;
    if (this.#receivedSamples > this.#sentSamples) this.#ranAhead = true;
    for (;;) {
      const sentAtMs = this.#sentAtMs[this.#firstOpen];
      const returned = this.#returnedSamples + this.#frameSamples;
      if (sentAtMs === undefined || returned > this.#receivedSamples) break;
      this.#returnedSamples = returned;
      this.#firstOpen += 1;
      this.#record(atMs - sentAtMs);
    }
    if (this.#firstOpen > 1_024) this.#forgetReturned();
  }

  #forgetReturned(): void {
    this.#sentAtMs = this.#sentAtMs.slice(this.#firstOpen);
    this.#firstOpen = 0;
  }
}
