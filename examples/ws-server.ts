import { PlivoFrameSerializer } from 'plivo-stream-gateway/serializer';
import { WebSocketServer } from 'ws';

// Repeats what the caller says, and hangs up on #. The <Stream> of the answer XML has to lead here.
const { PORT = '8765', PLIVO_AUTH_ID: authId, PLIVO_AUTH_TOKEN: authToken } = process.env;
const params = {
  sampleRate: 16_000, // of the audio in frames
  autoHangUp: Boolean(authId && authToken),
  apiUrl: process.env.PLIVO_API_URL,
};
const server = new WebSocketServer({ port: Number(PORT), maxPayload: 64 * 1024 });

server.on('connection', (socket) => {
  let serializer: PlivoFrameSerializer | undefined;
  socket.on('message', (message) => {
    if (serializer === undefined) {
      const start = PlivoFrameSerializer.parseStart(message);
      if (start === null) return;
      serializer = new PlivoFrameSerializer({ ...start, authId, authToken, params });
    }
    const frame = serializer.deserialize(message);
    if (frame?.type === 'InputAudioRawFrame') {
      const text = serializer.serialize(frame);
      if (text !== null) socket.send(text);
    } else if (frame?.type === 'InputDTMFFrame' && frame.button === '#') {
      serializer.serialize({ type: 'EndFrame' });
      serializer.hangup?.then((result) => console.log('hang-up', result));
    }
  });
  socket.on('error', (error) => console.error(error.message));
  socket.on('close', () => serializer?.close());
});
server.on('listening', () => console.log('listening on', server.address()));
