import { readFileSync } from 'node:fs';
import { WebSocket } from 'ws';
import type { GatewayConfig, UpstreamConfig } from '../config/types.js';
import { type Finding, fail, lookMsMax, ok, reasonOf, warn } from './check.js';

/** Whether every application behind the gateway takes a connection, and keeps it. */
export async function upstreamFindings({ upstreams }: GatewayConfig): Promise<Finding[]> {
  const looks = upstreams.flatMap((upstream) =>
    upstream.addresses.map(({ url }) => look(upstream, url)),
  );
  return Promise.all(looks);
}

const keptMs = 500;

function look(upstream: UpstreamConfig, template: string): Promise<Finding> {
  const what = `upstream ${upstream.name}`;
  const url = template.replace(/\{[^}]*\}/g, 'doctor');
  const place = url.replace(/\?.*$/, '');
  return new Promise((resolve) => {
    const socket = open(upstream, url);
    if (typeof socket === 'string')
      return resolve(fail(what, `${place}: ${socket}`, 'see upstreams in the configuration'));
    let isOpen = false;
    let hasSpoken = false;
    const done = (finding: Finding): void => {
      socket.removeAllListeners();
      socket.on('error', () => {});
      socket.close(1000);
      setTimeout(() => socket.terminate(), keptMs).unref();
      resolve(finding);
    };
    socket.on('message', () => {
      hasSpoken = true;
    });
    socket.on('unexpected-response', (_request, { statusCode }) =>
      done(
        fail(
          what,
          `${place} refuses with HTTP ${statusCode}`,
          'see its path, headers, and its own log',
        ),
      ),
    );
    socket.on('error', (error) => {
      if (!isOpen)
        done(
          fail(
            what,
            `${place}: ${reasonOf(error)}`,
            'start it, or mend its address under upstreams',
          ),
        );
    });
    socket.on('close', (code) => {
      if (code === 1013)
        done(
          warn(
            what,
            `${place} is busy (1013)`,
            'it takes one client at a time: ask when it has none',
          ),
        );
      else done(fail(what, `${place} closes at once with ${code}`, 'look into its own log'));
    });
    socket.on('open', () => {
      isOpen = true;
      setTimeout(
        () => done(ok(what, `${place} takes connections${hasSpoken ? ', and speaks first' : ''}`)),
        keptMs,
      );
    });
  });
}

function open({ headers, caFile }: UpstreamConfig, url: string): WebSocket | string {
  try {
    return new WebSocket(url, {
      headers: { ...headers },
      handshakeTimeout: lookMsMax,
      perMessageDeflate: false,
      ...(caFile !== undefined && { ca: readFileSync(caFile) }),
    });
  } catch (thrown) {
    return reasonOf(thrown);
  }
}
