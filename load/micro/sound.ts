import { encodeMulaw } from '../../src/codec/g711.js';

export const frameMs = 20;
/** A second: no two frames in a row are alike. */
export const frameCount = 50;

/** 20 ms frames that are no silence and no pure tone. */
export function soundFrames(rate: number): Int16Array[] {
  const count = (rate * frameMs) / 1_000;
  return Array.from({ length: frameCount }, (_, frame) =>
    Int16Array.from({ length: count }, (_, i) => {
      const seconds = frame / frameCount + i / rate;
      const loudness = 0.6 + 0.4 * Math.sin(seconds * 25);
      return loudness * (9_000 * Math.sin(seconds * 1_600) + 4_000 * Math.sin(seconds * 4_700));
    }),
  );
}

/** `media` messages as Plivo writes them: 410 bytes of µ-law, 1,050 of L16 at 16 kHz. */
export function mediaMessages(encoding: 'mulaw' | 'l16', rate: number): string[] {
  return soundFrames(rate).map((samples, chunk) => {
    const wire = encoding === 'mulaw' ? encodeMulaw(samples) : new Uint8Array(samples.buffer);
    return JSON.stringify({
      event: 'media',
      sequenceNumber: chunk + 2,
      streamId: 'b4d0a9de-1c2b-4a57-9a0e-6f5d1e7c3b21',
      media: {
        track: 'inbound',
        timestamp: String(1_764_000_000_820 + chunk * frameMs),
        chunk: chunk + 1,
        payload: Buffer.from(wire).toString('base64'),
      },
      extra_headers: 'tenant=acme;plan=gold',
    });
  });
}

/** Hands out its items for ever, in order. */
export function turns<Item>(items: readonly Item[]): () => Item {
  let index = 0;
  return () => {
    index = index + 1 === items.length ? 0 : index + 1;
    return items[index]!;
  };
}
