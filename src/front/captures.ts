import { mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errorText } from '../errors.js';
import { captureFolderBytesMax, capturesMax } from '../limits.js';
import type { Log } from '../log.js';
import { Capture, type CaptureEnd, type CaptureHeader } from './capture.js';
import type { Connection, Connections } from './connections.js';

export interface CaptureView {
  readonly file: string;
  readonly startedAt: string;
}

/** A capture under way, or why there is none, with the HTTP status that fits. */
export type CaptureAnswer =
  | ({ readonly ok: true } & CaptureView)
  | { readonly ok: false; readonly status: 404 | 409 | 429 | 500 | 507; readonly error: string };

export interface CapturesOptions {
  /** Undefined: nothing is ever captured. */
  readonly folder: string | undefined;
  readonly connections: Connections;
  /** Of the gateway. */
  readonly version: string;
  readonly log: Log;
  ended(end: CaptureEnd): void;
}

const suffix = '.ndjson';

/** Captures of single calls, on demand: few at once, and bounded in size and time. */
export class Captures {
  readonly #options: CapturesOptions;
  readonly #active = new Map<Connection, Capture>();
  /** Those whose files are not complete. */
  readonly #open = new Set<Capture>();

  constructor(options: CapturesOptions) {
    this.#options = options;
  }

  get active(): number {
    return this.#active.size;
  }

  /** Undefined where none is under way. */
  view(callId: string): CaptureView | undefined {
    const capture = this.#of(callId);
    return capture && { file: capture.file, startedAt: capture.header.startedAt };
  }

  async start(callId: string): Promise<CaptureAnswer> {
    const { folder, connections } = this.#options;
    if (folder === undefined) {
      return refusal(409, 'captures are off: set capture.folder to the folder for their files');
    }
    if (connections.byCallId(callId)?.socket === undefined) return notLive;
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      if ((await bytesIn(folder)) > captureFolderBytesMax) {
        const limit = `${captureFolderBytesMax / 2 ** 30} GiB`;
        return refusal(507, `${folder} holds more than ${limit} of captures: remove some`);
      }
    } catch (thrown) {
      return refusal(500, `cannot use ${folder}: ${errorText(thrown)}`);
    }
    return this.#begin(folder, callId);
  }

  /** Without a pause, so that bounds hold and the call is still there. */
  #begin(folder: string, callId: string): CaptureAnswer {
    const connection = this.#options.connections.byCallId(callId);
    if (connection?.socket === undefined) return notLive;
    const running = this.view(callId);
    if (running !== undefined)
      return refusal(409, `this call is captured already: ${running.file}`);
    if (this.#active.size >= capturesMax) {
      return refusal(429, `${capturesMax} calls are being captured, which is all that may be`);
    }
    const startedAt = new Date().toISOString();
    const name = `${callId.replace(/[^\w-]/g, '_').slice(0, 64)}-${startedAt.replace(/[:.]/g, '')}`;
    const file = join(folder, `${name}${suffix}`);
    const { streamId, route, startMessage: start } = connection;
    const { version, log } = this.#options;
    const header: CaptureHeader = {
      ...{ capture: 'plivo-gateway', version: 1, gateway: version },
      ...{ callId, streamId, route, startedAt, start },
    };
    const capture = new Capture(file, header, (end, problem) => {
      connection.capture = undefined;
      this.#active.delete(connection);
      this.#options.ended(end);
      const line = { callId, file, end, ...(problem !== '' && { problem }) };
      if (problem === '') log.info(line, 'capture ended');
      else log.error(line, 'capture ended');
    });
    connection.capture = capture;
    this.#active.set(connection, capture);
    this.#open.add(capture);
    void capture.done.then(() => this.#open.delete(capture));
    log.info({ callId, file }, 'capture started');
    return { ok: true, file, startedAt };
  }

  /** Answers where it is, once it is complete; undefined where none was under way. */
  async stop(callId: string): Promise<CaptureView | undefined> {
    const capture = this.#of(callId);
    if (capture === undefined) return undefined;
    capture.end('stopped');
    await capture.done;
    return { file: capture.file, startedAt: capture.header.startedAt };
  }

  #of(callId: string): Capture | undefined {
    const connection = this.#options.connections.byCallId(callId);
    return connection && this.#active.get(connection);
  }

  /** The gateway ends, and its calls with it: resolves when all files are complete. */
  async close(): Promise<void> {
    for (const capture of this.#active.values()) capture.end('call-ended');
    await Promise.all([...this.#open].map(({ done }) => done));
  }
}

const notLive: CaptureAnswer = refusal(404, 'no such live call here');

function refusal(
  status: Extract<CaptureAnswer, { ok: false }>['status'],
  error: string,
): Extract<CaptureAnswer, { ok: false }> {
  return { ok: false, status, error };
}

async function bytesIn(folder: string): Promise<number> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(suffix));
  const sizes = await Promise.all(
    names.map((name) =>
      stat(join(folder, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
