import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Children, freePort, listening } from '../bench/children.js';

/** One series of an answer: its labels, and values at Unix times. NaN where there is none. */
export interface SeriesResult {
  readonly labels: Readonly<Record<string, string>>;
  readonly points: readonly (readonly [seconds: number, value: number])[];
}

interface Answer {
  readonly status: 'success' | 'error';
  readonly error?: string;
  readonly data?: {
    readonly result: readonly {
      readonly metric: Readonly<Record<string, string>>;
      readonly value?: readonly [number, string];
      readonly values?: readonly (readonly [number, string])[];
    }[];
  };
}

const readyMsMax = 20_000;

/** Of Debian's package of that name. */
export function hasPrometheus(): boolean {
  return spawnSync('prometheus', ['--version']).status === 0;
}

/** A Prometheus that scrapes a gateway every second, with the rules of a folder such as grafana/. */
export class Prometheus {
  readonly #url: string;

  private constructor(url: string) {
    this.#url = url;
  }

  /** @param scratch folder for its data, which outlives it */
  static async open(
    children: Children,
    scratch: string,
    folder: string,
    adminPort: number,
  ): Promise<Prometheus> {
    const port = await freePort();
    mkdirSync(join(scratch, 'data'));
    cpSync(join(folder, 'rules'), join(scratch, 'rules'), { recursive: true });
    const file = join(scratch, 'prometheus.yml');
    const config = {
      global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
      rule_files: ['rules/*.yaml'],
      scrape_configs: [
        {
          job_name: 'plivo-gateway',
          static_configs: [{ targets: [`127.0.0.1:${adminPort}`] }],
        },
      ],
    };
    // JSON is YAML.
    writeFileSync(file, JSON.stringify(config));
    const child = children.run('prometheus', [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(scratch, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=warn',
    ]);
    await listening(child, port);
    const prometheus = new Prometheus(`http://127.0.0.1:${port}`);
    const untilMs = performance.now() + readyMsMax;
    while ((await prometheus.at('up == 1', Date.now() / 1_000).catch(() => [])).length === 0) {
      if (performance.now() > untilMs) throw new Error('Prometheus does not reach the gateway');
      await sleep(200);
    }
    return prometheus;
  }

  /**
   * Values at a Unix time.
   * @throws Error with what Prometheus says is wrong
   */
  at(expression: string, time: number): Promise<readonly SeriesResult[]> {
    return this.#ask('query', { query: expression, time: String(time) });
  }

  /** Values at every second from one Unix time to another. */
  over(expression: string, from: number, to: number): Promise<readonly SeriesResult[]> {
    return this.#ask('query_range', {
      query: expression,
      start: String(from),
      end: String(to),
      step: '1',
    });
  }

  async #ask(
    path: string,
    parameters: Readonly<Record<string, string>>,
  ): Promise<readonly SeriesResult[]> {
    const response = await fetch(`${this.#url}/api/v1/${path}`, {
      method: 'POST',
      body: new URLSearchParams(parameters),
      signal: AbortSignal.timeout(10_000),
    });
    const { status, error, data } = (await response.json()) as Answer;
    if (status !== 'success' || data === undefined) throw new Error(error ?? 'no answer');
    return data.result.map(({ metric, value, values = value === undefined ? [] : [value] }) => ({
      labels: metric,
      points: values.map(([seconds, text]) => [seconds, Number(text)] as const),
    }));
  }
}
