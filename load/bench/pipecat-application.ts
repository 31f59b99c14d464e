/**
 * A bot behind the gateway that costs next to nothing, run as a child process: every frame of audio comes back as it is,
 * which is a frame of the same form.
 */
import { App, us_socket_local_port } from 'uWebSockets.js';
import { payloadBytesMax } from '../../src/limits.js';

/** Shorter ones are greetings. */
const audioBytesMin = 600;

App()
  .ws('/stream', {
    maxPayloadLength: payloadBytesMax,
    idleTimeout: 0,
    message: (socket, message) => {
      if (message.byteLength > audioBytesMin) socket.send(message, true);
    },
  })
  .listen('127.0.0.1', 0, (socket) => {
    if (socket) process.send?.({ port: us_socket_local_port(socket) });
    else process.exit(1);
  });

process.on('disconnect', () => process.exit());
