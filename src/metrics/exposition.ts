import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { type Metric, Registry } from 'prom-client';

/** What a scrape is answered with. */
export interface MetricsPage {
  readonly type: string;
  readonly encoding: 'gzip' | undefined;
  readonly body: string | Buffer;
}

/** What an HTTP request says that it takes. */
export interface Accepted {
  readonly accept?: string | undefined;
  readonly 'accept-encoding'?: string | undefined;
}

interface Rendered {
  readonly text: string;
  zipped: Promise<Buffer> | undefined;
}

const zip = promisify(gzip);

/**
 * All metrics as text, in the form that is asked for: Prometheus's or OpenMetrics's, compressed or not. However many ask
 * at once, the front makes one page of each form in one turn of its event loop, and serves its calls in between.
 */
export class Exposition {
  readonly #text: Registry;
  readonly #openMetrics: Registry;
  readonly #asked = new Map<Registry, Promise<Rendered>>();

  /** @param registry with all metrics that there will be */
  constructor(registry: Registry) {
    this.#text = registry;
    this.#openMetrics = openMetricsOf(registry);
  }

  async page(request: Accepted): Promise<MetricsPage> {
    const registry = prefersOpenMetrics(request.accept) ? this.#openMetrics : this.#text;
    const page = await this.#rendered(registry);
    const type = registry.contentType;
    if (!takesGzip(request['accept-encoding'])) {
      return { type, encoding: undefined, body: page.text };
    }
    page.zipped ??= zip(page.text);
    return { type, encoding: 'gzip', body: await page.zipped };
  }

  #rendered(registry: Registry): Promise<Rendered> {
    const known = this.#asked.get(registry);
    if (known !== undefined) return known;
    const rendered = new Promise((resolve) => setImmediate(resolve)).then(async () => {
      // Who asks from now on gets a newer one.
      this.#asked.delete(registry);
      return { text: await registry.metrics(), zipped: undefined };
    });
    this.#asked.set(registry, rendered);
    return rendered;
  }
}

/**
 * The same metrics for OpenMetrics, where a counter's family has no `_total`. A registry of prom-client that renders this
 * form takes the ending off the metrics themselves, for good: so it gets views of them.
 */
function openMetricsOf(registry: Registry): Registry {
  const views = new Registry();
  views.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never);
  for (const metric of registry.getMetricsAsArray() as unknown as Readable[]) {
    const isCounter = metric.type === 'counter';
    const name = isCounter ? metric.name.replace(/_total$/, '') : metric.name;
    const get = async (): Promise<object> => ({
      ...(await (metric.getForPromString?.() ?? metric.get())),
      name,
    });
    const view = { name, help: metric.help, type: metric.type, get, reset() {} };
    views.registerMetric(view as unknown as Metric);
  }
  return views;
}

interface Readable {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  get(): Promise<object>;
  getForPromString?(): Promise<object>;
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
