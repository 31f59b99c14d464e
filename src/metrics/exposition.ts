import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Registry } from 'prom-client';
import {
  contentTypes,
  type MetricFamily,
  metricsText,
  type ReadFamily,
  type TextForm,
} from './text-format.js';

/** What a scrape is answered with. */
export interface MetricsPage {
  readonly type: string;
  readonly encoding: 'gzip' | undefined;
  readonly body: Buffer;
}

/** What an HTTP request says that it takes. */
export interface Accepted {
  readonly accept?: string | undefined;
  readonly 'accept-encoding'?: string | undefined;
}

interface Rendered {
  readonly plain: Buffer;
  zipped: Promise<Buffer> | undefined;
}

const zip = promisify(gzip);

/**
 * All metrics as text, in the form that is asked for: Prometheus's or OpenMetrics's, compressed or not. However many ask
 * at once, the front makes one page of each form in one turn of its event loop, and serves its calls in between.
 */
export class Exposition {
  readonly #registry: Registry;
  readonly #asked = new Map<TextForm, Promise<Rendered>>();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  async page(request: Accepted): Promise<MetricsPage> {
    const form = prefersOpenMetrics(request.accept) ? 'openmetrics' : 'prometheus';
    const page = await this.#rendered(form);
    const type = contentTypes[form];
    if (!takesGzip(request['accept-encoding'])) {
      return { type, encoding: undefined, body: page.plain };
    }
    page.zipped ??= zip(page.plain);
    return { type, encoding: 'gzip', body: await page.zipped };
  }

  #rendered(form: TextForm): Promise<Rendered> {
    const known = this.#asked.get(form);
    if (known !== undefined) return known;
    const rendered = new Promise((resolve) => setImmediate(resolve)).then(async () => {
      // Who asks from now on gets a newer one.
      this.#asked.delete(form);
      const plain = Buffer.from(metricsText(await this.#families(), form));
      return { plain, zipped: undefined };
    });
    this.#asked.set(form, rendered);
    return rendered;
  }

  /** All of one moment: our own are read in one go. */
  async #families(): Promise<readonly ReadFamily[]> {
    const metrics = this.#registry.getMetricsAsArray() as unknown as readonly Readable[];
    return Promise.all(
      metrics.map(({ name, help, type, text }, index) =>
        text === undefined ? metrics[index]!.get() : { name, help, type, text: text() },
      ),
    );
  }
}

/** A metric of prom-client's, or one of ours. */
interface Readable extends Omit<MetricFamily, 'values'> {
  get(): Promise<MetricFamily>;
  readonly text?: () => string;
}

function prefersOpenMetrics(accept = ''): boolean {
  const wish = { open: 0, text: 0 };
  for (const { name, quality } of items(accept)) {
    if (name === 'application/openmetrics-text') wish.open = Math.max(wish.open, quality);
    else if (name === 'text/plain') wish.text = Math.max(wish.text, quality);
  }
  return wish.open > 0 && wish.open >= wish.text;
}

function takesGzip(accepted = ''): boolean {
  return items(accepted).some(({ name, quality }) => name === 'gzip' && quality > 0);
}

/** Items of an `Accept` header, with the weight of each. */
function items(header: string): { readonly name: string; readonly quality: number }[] {
  return header.split(',').map((item) => {
    const [name = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase());
    const weight = parameters.find((parameter) => parameter.startsWith('q='));
    const quality = weight === undefined ? 1 : Number(weight.slice(2));
    return { name, quality: Number.isFinite(quality) ? quality : 0 };
  });
}
