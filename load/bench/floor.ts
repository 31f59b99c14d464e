/**
 * The floor that the gateway is measured against, run as a child process: uWebSockets.js alone,
 * answering every message but the first (`start`) with the same prepared `playAudio`. Nothing that
 * answers each message can cost less.
 */
import { App, SSLApp, us_socket_local_port, type WebSocket } from 'uWebSockets.js';
import { payloadBytesMax } from '../../src/limits.js';
import { silencePayload, streamFormats } from '../stream-format.js';
import { serverArguments, silentAnswer } from './echo-stream.js';

interface FloorStream {
  hasStarted: boolean;
}

const { format, certFile, keyFile } = serverArguments(process.argv.slice(2));
const answer = silentAnswer(format, silencePayload(streamFormats[format]));

function answerMedia(socket: WebSocket<FloorStream>): void {
  const stream = socket.getUserData();
  if (stream.hasStarted) socket.send(answer);
  else stream.hasStarted = true;
}

const app =
  certFile === undefined || keyFile === undefined
    ? App()
    : SSLApp({ cert_file_name: certFile, key_file_name: keyFile });

app
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
