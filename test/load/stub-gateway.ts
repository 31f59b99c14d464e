import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { type Headers, verifyV3 } from '../../src/plivo/signature.js';

export interface StubMessage {
  readonly event: string;
  readonly streamId?: string;
  readonly name?: string;
  readonly sequenceNumber: number;
  readonly start?: { readonly callId: string; readonly streamId: string };
  readonly media?: { readonly payload: string; readonly chunk: number; readonly timestamp: string };
  readonly dtmf?: { readonly digit: string };
  readonly extra_headers?: string;
}

export interface StubStream {
  readonly socket: WebSocket;
  readonly url: string;
  /** Of the upgrade. */
  readonly headers: Headers;
  /** Everything that arrived, oldest first. */
  readonly messages: StubMessage[];
  streamId: string;
  send(message: unknown): void;
}

export interface StubBehaviour {
  /** Whether an upgrade is answered with 101, or refused with 401. */
  admits?(headers: Headers): boolean;
  opened?(stream: StubStream): void;
  message?(stream: StubStream, message: StubMessage): void;
}

export interface StubGateway {
  readonly url: string;
  readonly streams: StubStream[];
  close(): Promise<void>;
}

/** A gateway of a few lines on a free port, doing whatever a test wants of it. */
export async function startStub(behaviour: StubBehaviour): Promise<StubGateway> {
  const server = new WebSocketServer({
    ...{ port: 0, host: '127.0.0.1', perMessageDeflate: false },
    verifyClient: ({ req }: { req: IncomingMessage }) =>
      behaviour.admits?.(req.headers as Headers) ?? true,
  });
  const streams: StubStream[] = [];
  server.on('connection', (socket, request) => {
    const stream: StubStream = {
      socket,
      url: request.url ?? '',
      headers: request.headers as Headers,
      messages: [],
      streamId: '',
      send: (message) => socket.send(JSON.stringify(message)),
    };
    streams.push(stream);
    behaviour.opened?.(stream);
    socket.on('message', (data) => {
      const message = JSON.parse(String(data)) as StubMessage;
      stream.messages.push(message);
      if (message.start !== undefined) stream.streamId = message.start.streamId;
      behaviour.message?.(stream, message);
    });
  });
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `ws://127.0.0.1:${port}/stream`,
    streams,
    close: () =>
      new Promise((resolve) => {
        for (const socket of server.clients) socket.terminate();
        server.close(() => resolve());
      }),
  };
}

/** Whether an upgrade is signed with this token, over the form that was seen on live calls. */
export function isSignedUpgrade(gateway: StubGateway, stream: StubStream, token: string): boolean {
  const { host } = new URL(gateway.url);
  const url = `http://${host}${stream.url}`;
  return verifyV3({ method: 'GET', url, params: [], headers: stream.headers, tokens: [token] });
}

export function playAudio(payload: string, contentType = 'audio/x-mulaw', sampleRate = 8_000) {
  return { event: 'playAudio', media: { contentType, sampleRate, payload } };
}

/** Sends every media message back as it came. */
export function echo(contentType = 'audio/x-mulaw', sampleRate = 8_000): StubBehaviour {
  return {
    message(stream, { media }) {
      if (media !== undefined) stream.send(playAudio(media.payload, contentType, sampleRate));
    },
  };
}
