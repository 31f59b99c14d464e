/**
 * What a relay costs at the least with these libraries, run as a child process: uWebSockets.js in front, a `ws` client
 * to the application for each stream, messages passed on as they are, all on one thread.
 */
import { App, type WebSocket as Socket, us_socket_local_port } from 'uWebSockets.js';
import { WebSocket } from 'ws';
import { payloadBytesMax } from '../../src/limits.js';

interface Leg {
  upstream: WebSocket | undefined;
  waiting: Buffer[];
}

const [target = ''] = process.argv.slice(2);

function connect(socket: Socket<Leg>): void {
  const leg = socket.getUserData();
  const upstream = new WebSocket(target, { perMessageDeflate: false, skipUTF8Validation: true });
  leg.upstream = upstream;
  upstream.on('open', () => {
    for (const message of leg.waiting) upstream.send(message, { binary: false });
    leg.waiting = [];
  });
  upstream.on('message', (data: Buffer) => socket.send(data));
  upstream.on('error', () => {});
}

const app = App();
app
  .ws<Leg>('/stream', {
    maxPayloadLength: payloadBytesMax,
    idleTimeout: 0,
    upgrade: (response, request, context) => {
      response.upgrade<Leg>(
        { upstream: undefined, waiting: [] },
        request.getHeader('sec-websocket-key'),
        request.getHeader('sec-websocket-protocol'),
        request.getHeader('sec-websocket-extensions'),
        context,
      );
    },
    open: connect,
    message: (socket, message) => {
      const { upstream, waiting } = socket.getUserData();
      if (upstream?.readyState === WebSocket.OPEN) {
        upstream.send(Buffer.from(message), { binary: false });
      } else waiting.push(Buffer.from(new Uint8Array(message)));
    },
    close: (socket) => {
      const { upstream } = socket.getUserData();
      upstream?.removeAllListeners('message');
      upstream?.close(1000);
    },
  })
  .listen('127.0.0.1', 0, (socket) => {
    if (socket) process.send?.({ port: us_socket_local_port(socket) });
    else process.exit(1);
  });

process.on('disconnect', () => process.exit());
