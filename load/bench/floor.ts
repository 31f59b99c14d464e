/**
 * The floor that the gateway is measured against, run as a child process: uWebSockets.js alone,
 * answering every message but the first (`start`) with the same prepared `playAudio`. Nothing that
 * answers each message can cost less.
 */
import { App, us_socket_local_port, type WebSocket } from 'uWebSockets.js';
import { payloadBytesMax } from '../../src/limits.js';
import { mulawSilence } from '../g711.js';

interface FloorStream {
  hasStarted: boolean;
}

const answer = Buffer.from(
  JSON.stringify({
    event: 'playAudio',
    media: {
      contentType: 'audio/x-mulaw',
      sampleRate: 8_000,
      payload: Buffer.alloc(160, mulawSilence).toString('base64'),
    },
  }),
);

function answerMedia(socket: WebSocket<FloorStream>): void {
  const stream = socket.getUserData();
  if (stream.hasStarted) socket.send(answer);
  else stream.hasStarted = true;
}

App()
  .ws<FloorStream>('/stream', {
    maxPayloadLength: payloadBytesMax,
    idleTimeout: 0,
    upgrade: (response, request, context) => {
      response.upgrade<FloorStream>(
        { hasStarted: false },
        request.getHeader('sec-websocket-key'),
        request.getHeader('sec-websocket-protocol'),
        request.getHeader('sec-websocket-extensions'),
        context,
      );
    },
    message: answerMedia,
  })
  .listen('127.0.0.1', 0, (socket) => {
    if (socket) process.send?.({ port: us_socket_local_port(socket) });
    else process.exit(1);
  });

process.on('disconnect', () => process.exit());
