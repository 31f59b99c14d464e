import { randomUUID } from 'node:crypto';
import { isIP } from 'node:net';
import { connect } from 'node:tls';
import { WebSocket } from 'ws';
import type { GatewayConfig } from '../config/types.js';
import { type Fields, nonceHeader, signatureHeaders, signatureV3 } from '../plivo/signature.js';
import { doctorRoute } from '../routing/doctor-route.js';
import { type Finding, fail, lookMsMax, ok, reasonOf, skipped, warn } from './check.js';

const dayMs = 86_400_000;
const certificateDaysMin = 14;
const echoMsMax = 5_000;

/** The gateway that runs with this configuration, and the way from the public address to it. */
export async function edgeFindings(config: GatewayConfig): Promise<Finding[]> {
  const gateway = new RunningGateway(config);
  const running = await gateway.finding();
  const { publicUrl } = config;
  if (publicUrl === undefined) {
    const remedy = 'set PUBLIC_URL to what Plivo reaches, as in https://voice.example.com';
    return [running, fail('public address', 'PUBLIC_URL is not set', remedy)];
  }
  const reached = await reach(publicUrl, running, config);
  const isReached = reached.state === 'ok';
  return [
    running,
    scheme(publicUrl),
    ...(await certificate(publicUrl)),
    reached,
    isReached
      ? await streams(publicUrl, gateway)
      : skipped('stream', 'the public address is not reached'),
  ];
}

/** Asks the gateway's own admin listener. */
class RunningGateway {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor({ admin }: GatewayConfig) {
    const everywhere = admin.host === '0.0.0.0' || admin.host === '::';
    const host = everywhere ? '127.0.0.1' : admin.host;
    this.#url = `http://${host.includes(':') ? `[${host}]` : host}:${admin.port}`;
    this.#headers = admin.token === undefined ? {} : { authorization: `Bearer ${admin.token}` };
  }

  ask(path: string, body?: object): Promise<Response> {
    return fetch(`${this.#url}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: this.#headers,
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(lookMsMax),
    });
  }

  async finding(): Promise<Finding> {
    const what = 'gateway';
    const remedy = 'start it with this configuration, and run this again beside it';
    try {
      const answer = await this.ask('/readyz');
      const { ready, draining } = (await answer.json()) as { ready?: boolean; draining?: boolean };
      if (ready === true) return ok(what, `runs, and is ready (${this.#url})`);
      return fail(what, draining ? 'is draining' : 'is not ready', 'look into its log');
    } catch (thrown) {
      return fail(what, `does not answer at ${this.#url}: ${reasonOf(thrown)}`, remedy);
    }
  }
}

function scheme(publicUrl: string): Finding {
  const what = 'public address';
  const { protocol, hostname } = new URL(publicUrl);
  if (/^(localhost|127\.|\[::1\])/.test(hostname)) {
    return warn(
      what,
      `${publicUrl} is this machine alone`,
      'for real calls set PUBLIC_URL to what Plivo reaches',
    );
  }
  if (protocol === 'https:') return ok(what, publicUrl);
  return fail(
    what,
    `${publicUrl} is not encrypted`,
    'Plivo wants https and wss: put TLS in front, or set tls.cert and tls.key',
  );
}

/** Of whoever answers there: a proxy, or the gateway. */
async function certificate(publicUrl: string): Promise<Finding[]> {
  const { protocol, hostname, port } = new URL(publicUrl);
  if (protocol !== 'https:') return [];
  const what = 'certificate';
  return [
    await new Promise<Finding>((resolve) => {
      const socket = connect({
        host: hostname,
        port: Number(port || 443),
        ...(isIP(hostname) === 0 && { servername: hostname }),
        rejectUnauthorized: false,
      });
      const done = (finding: Finding): void => {
        socket.destroy();
        resolve(finding);
      };
      socket.setTimeout(lookMsMax, () =>
        done(fail(what, 'no TLS within 5 s', 'see whether PUBLIC_URL names a TLS port')),
      );
      socket.once('error', (error) =>
        done(fail(what, reasonOf(error), 'see whether PUBLIC_URL names a TLS port')),
      );
      socket.once('secureConnect', () => {
        const { valid_to: until } = socket.getPeerCertificate();
        const days = Math.floor((Date.parse(until) - Date.now()) / dayMs);
        if (!socket.authorized) {
          const why = String(socket.authorizationError);
          done(
            fail(
              what,
              `not trusted: ${why}`,
              'Plivo takes certificates of public authorities only, with their chain',
            ),
          );
        } else if (days < certificateDaysMin)
          done(warn(what, `expires in ${days} days`, 'renew it, then send SIGHUP'));
        else done(ok(what, `trusted, for another ${days} days`));
      });
    }),
  ];
}

/** A webhook as Plivo sends it, through the public address: it arrives, and its signature is believed. */
async function reach(
  publicUrl: string,
  running: Finding,
  { accounts }: GatewayConfig,
): Promise<Finding> {
  const what = 'webhooks';
  const account = accounts[0];
  if (running.state !== 'ok') return skipped(what, 'there is no gateway');
  const url = `${publicUrl}/stream-status`;
  const fields: Fields = [
    ['CallUUID', `doctor-${randomUUID()}`],
    ['Event', 'Doctor'],
  ];
  const nonce = randomUUID();
  const signature =
    account && signatureV3('POST', url, fields, nonce, account.credentials.authToken);
  try {
    const answer = await fetch(url, {
      method: 'POST',
      headers:
        signature === undefined ? {} : { [signatureHeaders[0]]: signature, [nonceHeader]: nonce },
      body: new URLSearchParams(fields.map(([name, value]): [string, string] => [name, value])),
      redirect: 'manual',
      signal: AbortSignal.timeout(lookMsMax),
    });
    const text = (await answer.text()).trim();
    if (answer.status === 200 && text === 'ok') {
      return ok(
        what,
        `arrive through ${publicUrl}${signature ? ', and their signatures are believed' : ''}`,
      );
    }
    if (answer.status === 403 && text.startsWith('not signed by Plivo')) {
      return fail(
        what,
        'arrive, and their signature is not believed',
        'the gateway runs with another PUBLIC_URL or Auth Token: restart it',
      );
    }
    return fail(
      what,
      `${url} answers with status ${answer.status}, and not as a gateway`,
      'let the proxy or tunnel lead to the public port, its path as it is',
    );
  } catch (thrown) {
    return fail(
      what,
      `${url}: ${reasonOf(thrown)}`,
      'see whether the tunnel or load balancer runs, and whether its name resolves',
    );
  }
}

/** One call through the public address, echoed; it has to turn up in the very gateway that was asked. */
async function streams(publicUrl: string, gateway: RunningGateway): Promise<Finding> {
  const what = 'stream';
  const callId = `doctor-${randomUUID()}`;
  let url: string;
  try {
    const answer = await gateway.ask('/api/stream-url', { callId, route: doctorRoute.name });
    const body = (await answer.json()) as { url?: string; error?: string };
    if (body.url === undefined) return fail(what, `no stream URL: ${body.error}`, 'see the error');
    url = body.url;
  } catch (thrown) {
    return fail(what, `no stream URL: ${reasonOf(thrown)}`, 'look into the log of the gateway');
  }
  const { echoMs, calls, problem } = await echo(url, callId, gateway);
  if (problem !== undefined) {
    return fail(
      what,
      `${publicUrl.replace(/^http/, 'ws')}/stream: ${problem}`,
      'let the proxy pass WebSockets (Upgrade, Connection), to one place only',
    );
  }
  if (!calls.includes(callId)) {
    return fail(
      what,
      'it came to another gateway',
      'PUBLIC_URL leads elsewhere: to another process or machine',
    );
  }
  return ok(what, `one frame went out and came back in ${echoMs.toFixed(0)} ms`);
}

interface Echo {
  readonly echoMs: number;
  readonly calls: readonly string[];
  readonly problem: string | undefined;
}

function echo(url: string, callId: string, gateway: RunningGateway): Promise<Echo> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, { handshakeTimeout: lookMsMax, perMessageDeflate: false });
    const streamId = randomUUID();
    let sentMs = 0;
    const settle = (result: Echo): void => {
      clearTimeout(timer);
      socket.close(1000);
      resolve(result);
    };
    const failed = (problem: string) => settle({ echoMs: 0, calls: [], problem });
    const timer = setTimeout(() => failed('no audio came back'), echoMsMax + lookMsMax);
    socket.on('error', (error) => failed(error.message));
    socket.on('close', (code) => failed(`closed with ${code}`));
    socket.on('open', () => {
      const mediaFormat = { encoding: 'audio/x-mulaw', sampleRate: 8_000 };
      const start = { callId, streamId, accountId: '', tracks: ['inbound'], mediaFormat };
      socket.send(JSON.stringify({ event: 'start', sequenceNumber: 1, start }));
      const payload = Buffer.alloc(160, 0x80).toString('base64');
      const media = { track: 'inbound', timestamp: '0', chunk: 1, payload };
      sentMs = performance.now();
      socket.send(JSON.stringify({ event: 'media', sequenceNumber: 2, streamId, media }));
    });
    socket.once('message', () => {
      const echoMs = performance.now() - sentMs;
      gateway
        .ask('/api/calls')
        .then((answer) => answer.json() as Promise<{ calls: { callId: string }[] }>)
        .then(({ calls }) =>
          settle({ echoMs, calls: calls.map((call) => call.callId), problem: undefined }),
        )
        .catch((thrown: unknown) => failed(reasonOf(thrown)));
    });
  });
}
