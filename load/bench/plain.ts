/**
 * The program one would write first, run as a child process: `ws`, `JSON.parse`, µ-law and a FIR filter in plain
 * JavaScript, all on one thread; an echo at 16 kHz. It reads no more of the protocol than it needs.
 */
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { decodeMulaw, encodeMulaw } from '../../src/codec/g711.js';
import { PlainResampler } from '../micro/plain.js';

const wireHz = 8_000;
const applicationHz = 16_000;

interface MediaMessage {
  readonly event: string;
  readonly media: { readonly payload: string };
}

function serve(socket: WebSocket): void {
  const up = new PlainResampler(wireHz, applicationHz);
  const down = new PlainResampler(applicationHz, wireHz);
  socket.on('message', (data) => {
    const message = JSON.parse(String(data)) as MediaMessage;
    if (message.event !== 'media') return;
    const heard = up.push(decodeMulaw(Buffer.from(message.media.payload, 'base64')));
    const payload = Buffer.from(encodeMulaw(down.push(heard))).toString('base64');
    const media = { contentType: 'audio/x-mulaw', sampleRate: wireHz, payload };
    socket.send(JSON.stringify({ event: 'playAudio', media }));
  });
}

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
server.on('connection', serve);
server.on('listening', () => process.send?.({ port: (server.address() as AddressInfo).port }));
process.on('disconnect', () => process.exit());
