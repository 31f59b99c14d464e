import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

interface Import {
  readonly from: string;
  readonly names: string;
  readonly typeOnly: boolean;
  /** Path in the tree for our own files, otherwise the specifier. */
  readonly target: string;
  readonly isOurs: boolean;
}

interface Source {
  readonly path: string;
  readonly text: string;
  /** Without comments and the contents of strings over several lines. */
  readonly code: string;
  readonly imports: readonly Import[];
}

function filesUnder(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => !path.startsWith('src/codec/kernel/'))
    .toSorted();
}

function read(path: string): Source {
  const text = readFileSync(join(root, path), 'utf8');
  const code = text.replace(/\/\*[\s\S]*?\*\/|(?<=^|[\s;{}(),])\/\/[^\n]*/g, '');
  const statement =
    /(?:^|\n)\s*(?:import|export)\b(?<clause>[^'";]*?)\bfrom\s*'(?<target>[^']+)'|(?:^|\n)\s*import\s*'(?<bare>[^']+)'|\bimport\(\s*'(?<dynamic>[^']+)'/g;
  const imports = [...code.matchAll(statement)].map((match): Import => {
    const { clause = '', target, bare, dynamic } = match.groups!;
    const specifier = (target ?? bare ?? dynamic)!;
    const isOurs = specifier.startsWith('.');
    const inBraces = /\{([^}]*)\}/.exec(clause)?.[1]?.split(',') ?? [];
    const named = inBraces.map((name) => name.trim()).filter((name) => name !== '');
    const onlyTypes = named.length > 0 && named.every((name) => name.startsWith('type '));
    return {
      from: path,
      names: clause.trim(),
      typeOnly: /^\s*type\b/.test(clause) || (onlyTypes && /^\s*\{/.test(clause)),
      target: isOurs ? posix.join(posix.dirname(path), specifier).replace(/\.js$/, '') : specifier,
      isOurs,
    };
  });
  return { path, text, code, imports };
}

const sources = ['src', 'workers', 'load'].flatMap(filesUnder).map(read);
const tests = filesUnder('test').map(read);

const inFolder = (folder: string) => sources.filter(({ path }) => path.startsWith(`${folder}/`));
const lines = (found: readonly Source[], pattern: RegExp): string[] =>
  found.flatMap(({ path, code }) =>
    code
      .split('\n')
      .flatMap((line, i) => (pattern.test(line) ? [`${path}:${i + 1}: ${line.trim()}`] : [])),
  );

/** `front` of `src/front/egress.ts`, `limits` of `src/limits.ts`, `workers`, `load`. */
function areaOf(path: string): string {
  const [top = '', second = ''] = path.replace(/\.ts$/, '').split('/');
  return top === 'src' ? second : top;
}

/**
 * What each area may import besides itself (style, section 3): areas, or single files of them.
 * Its types may come from those of `types` as well. Areas that are not here put the others together.
 */
const allowed: Readonly<
  Record<string, { readonly values: readonly string[]; readonly types?: readonly string[] }>
> = {
  limits: { values: [] },
  errors: { values: [] },
  plivo: { values: ['errors'] },
  codec: { values: ['errors', 'limits'] },
  serializer: { values: ['plivo', 'codec', 'errors', 'limits'], types: ['handler'] },
  shard: { values: ['limits', 'errors'], types: ['config/types'] },
  config: { values: ['limits', 'errors', 'plivo/xml'] },
  log: { values: ['config/environment'], types: ['config/types'] },
  routing: { values: ['shard', 'limits', 'errors'], types: ['config/types', 'log'] },
  // Where a stream goes is decided at its admission: by pure functions of the two areas that know.
  front: {
    values: [
      ...[
        'shard',
        'plivo/rest',
        'plivo/signature',
        'plivo/stream-token',
        'plivo/webhook',
        'plivo/xml',
        'limits',
        'errors',
        'log',
      ],
      ...['routing/route-table', 'pool/placement', 'config/environment', 'config/types'],
    ],
  },
  pool: {
    values: ['shard', 'limits', 'errors', 'log'],
    types: ['config/types'],
  },
  hangup: { values: ['plivo/rest', 'limits', 'errors', 'log'], types: ['config/types'] },
  metrics: {
    values: ['shard', 'limits', 'errors', 'log'],
    types: ['config/types', 'routing/upstreams'],
  },
  calls: { values: ['limits', 'errors', 'log'], types: ['config/types', 'shard'] },
  admin: {
    values: ['shard', 'limits', 'errors', 'log'],
    types: ['config/types', 'routing/upstreams'],
  },
  handler: { values: [], types: ['plivo', 'errors'] },
  index: { values: ['handler'], types: ['plivo', 'errors'] },
  workers: {
    values: [
      ...['shard', 'serializer', 'codec', 'plivo', 'limits', 'errors', 'log', 'handler'],
      'config/types',
    ],
    types: ['routing'],
  },
  load: { values: ['plivo', 'codec', 'errors', 'limits', 'version'], types: ['config/types'] },
};

/**
 * The library's own hang-up: it is what a serializer does that has no gateway around it. And the codec's benchmark,
 * which measures what it names.
 */
const exceptions: Readonly<Record<string, readonly string[]>> = {
  'src/serializer/hang-up.ts': ['src/hangup/plivo-client', 'src/hangup/window'],
  'load/hangup/throughput.ts': [
    ...['src/hangup/dispatcher', 'src/hangup/journal', 'src/hangup/plivo-client'],
    'src/log',
  ],
  'load/hangup/backlog.ts': ['src/hangup/journal-files', 'src/hangup/journal-line'],
  'load/hangup/backlog-child.ts': ['src/config/load', 'src/gateway', 'src/log'],
  'load/docs/every-metric.ts': [
    ...['src/label-lists', 'src/metrics/collect', 'src/metrics/instruments'],
    ...['src/routing/upstreams', 'src/shard/counters', 'src/shard/shard'],
    ...['src/shard/upstream-board', 'src/shard/voice-counters'],
  ],
  'load/micro/library.ts': ['src/serializer'],
  'load/micro/observations.ts': [
    ...['src/shard/counters', 'src/shard/histogram', 'src/shard/voice-counters'],
  ],
  'load/micro/paths.ts': ['src/serializer/media-scan', 'src/serializer/stream-codec'],
};

/** Packages, and the areas that know them. */
const knowers: Readonly<Record<string, readonly string[]>> = {
  'uWebSockets.js': ['front', 'load'],
  undici: ['hangup', 'serializer', 'load', 'front', 'calls'],
  piscina: ['pool'],
  // The benchmark of counting sets it beside ours.
  'prom-client': ['metrics', 'load'],
  pino: ['log'],
  'pino-pretty': ['log'],
  commander: [
    'doctor',
    'program',
    'serve',
    'config',
    'hangups-command',
    'route-test-command',
    'load',
  ],
  zod: ['config'],
  yaml: ['config', 'load'],
  ws: ['load', 'workers', 'doctor'],
  'hdr-histogram-js': ['load'],
  selfsigned: ['load'],
  '@xmldom/xmldom': ['load', 'front'],
};

function isAllowed({ from, target, typeOnly }: Import): boolean {
  const rule = allowed[areaOf(from)];
  const [area, file] = [areaOf(target), target.replace(/^src\//, '')];
  if (rule === undefined || area === areaOf(from)) return true;
  if (exceptions[from]?.includes(target)) return true;
  const list = [...rule.values, ...(typeOnly ? (rule.types ?? []) : [])];
  return list.includes(area) || list.includes(file);
}

const imports = sources.flatMap((source) => source.imports);

/** All that is loaded with these files, packages included. */
function loadedWith(paths: readonly string[]): Set<string> {
  const reached = new Set(paths);
  for (const path of reached) {
    const source = sources.find((known) => known.path === path);
    for (const { target, isOurs, typeOnly } of source?.imports ?? []) {
      if (!typeOnly) reached.add(isOurs ? `${target}.ts` : target);
    }
  }
  return reached;
}
const shown = (list: readonly Import[]) => list.map(({ from, target }) => `${from} <- ${target}`);

describe('the tree', () => {
  it('is seen by this test', () => {
    expect(sources.length).toBeGreaterThan(60);
    expect(imports.length).toBeGreaterThan(200);
    expect(read('src/shard/shard.ts').imports.filter(({ typeOnly }) => typeOnly)).toHaveLength(1);
  });

  it('imports only along the way of the audio: no area knows more than its table allows', () => {
    expect(shown(imports.filter(({ isOurs }) => isOurs).filter((one) => !isAllowed(one)))).toEqual(
      [],
    );
  });

  it('has no import from src into workers, nor into the build or the tests', () => {
    const wrong = imports.filter(
      ({ from, target, isOurs }) =>
        (isOurs && from.startsWith('src/') && target.startsWith('workers/')) ||
        /(^|\/)(dist|test)\//.test(target),
    );
    expect(shown(wrong)).toEqual([]);
  });

  it('has a front that knows neither sound nor messages', () => {
    const wrong = imports.filter(
      ({ from, target }) =>
        from.startsWith('src/front/') &&
        /^src\/(serializer|codec|plivo\/messages|handler)/.test(target),
    );
    expect(shown(wrong)).toEqual([]);
  });

  it('loads no sockets, no hang-ups and no parts of the front into a worker', () => {
    const loaded = [...loadedWith(['workers/shard-worker.ts'])];
    expect(loaded).toContain('src/serializer/stream-codec.ts');
    // Upstreams' sockets are loaded when there are upstreams, in the task.
    loaded.splice(loaded.indexOf('ws'), loaded.includes('ws') ? 1 : 0);
    const foreign =
      /^(uWebSockets\.js|undici|piscina|prom-client|ws|zod|yaml)$|^src\/(front|hangup|pool|admin|metrics|gateway|config\/load)/;
    expect(loaded.filter((path) => foreign.test(path))).toEqual([]);
  });

  it('loads neither codec nor messages with the front', () => {
    const fronts = inFolder('src/front').map(({ path }) => path);
    const loaded = [...loadedWith(fronts)];
    expect(loaded).toContain('src/shard/doorbell.ts');
    expect(
      loaded.filter((path) => /^src\/(codec|serializer|plivo\/messages|hangup)/.test(path)),
    ).toEqual([]);
  });

  it('has workers without sockets, metrics library, hang-ups or credentials', () => {
    const ofWorkers = imports.filter(({ from }) => from.startsWith('workers/'));
    const packages = ofWorkers.filter(
      ({ isOurs, target }) => !isOurs && !target.startsWith('node:'),
    );
    expect(shown(packages.filter(({ typeOnly }) => !typeOnly))).toEqual([
      'workers/upstream/upstream-doors.ts <- ws',
    ]);
    expect(
      shown(
        ofWorkers.filter(({ target }) => /^src\/(hangup|front|pool|admin|metrics)/.test(target)),
      ),
    ).toEqual([]);
    expect(
      shown(
        ofWorkers.filter(({ target }) => /^node:(net|tls|http|https|http2|dgram)$/.test(target)),
      ),
    ).toEqual([]);
    expect(lines(inFolder('workers'), /authToken|credentials/i)).toEqual([]);
  });

  it('lets each package be known in one place', () => {
    const wrong = imports.filter(({ from, target, isOurs }) => {
      if (isOurs || target.startsWith('node:') || target.startsWith('#')) return false;
      return !(knowers[target] ?? []).includes(areaOf(from));
    });
    expect(shown(wrong)).toEqual([]);
  });

  it('has facts of Plivo that do no I/O', () => {
    const wrong = imports.filter(({ from, target, isOurs }) => {
      return from.startsWith('src/plivo/') && !isOurs && !/^node:(crypto|buffer)$/.test(target);
    });
    expect(shown(wrong)).toEqual([]);
    expect(lines(inFolder('src/plivo'), /\bfetch\(|setTimeout|process\./)).toEqual([]);
  });

  it('reads the environment in src/config alone', () => {
    const others = sources.filter(({ path }) => !path.startsWith('src/config/'));
    expect(lines(others, /process\.env\b|\benv\b.*from 'node:process'/)).toEqual([]);
  });

  it('writes no line with console', () => {
    const others = sources.filter(({ path }) => !path.startsWith('load/micro/'));
    expect(lines(others, /\bconsole\.(log|info|warn|error|debug|trace|dir)\b/)).toEqual([]);
  });

  it('has no any', () => {
    const noStrings = [...sources, ...tests].map((source) => ({
      ...source,
      code: source.code.replace(/'[^'\n]*'/g, "''"),
    }));
    expect(lines(noStrings, /[:<|&,(]\s*any\b(?=\s*[>,;=)|&[\]{]|$)|\bas any\b/)).toEqual([]);
    expect(lines(sources, /@ts-(ignore|nocheck|expect-error)/)).toEqual([]);
  });

  it('has no file that only passes exports on, but the package’s two', () => {
    const surfaces = ['src/index.ts', 'src/serializer.ts'];
    const passing = sources
      .filter(({ path }) => !surfaces.includes(path))
      .filter(({ code }) => {
        const rest = code.replace(/(import|export)\b[^;]*?\bfrom\s*'[^']+';/g, '');
        return /\bexport\b[^;]*\bfrom\b/.test(code) && rest.trim() === '';
      });
    expect(passing.map(({ path }) => path)).toEqual([]);
    expect(lines(sources, /\bexport\s*\*/)).toEqual([]);
    expect(
      sources.filter(({ path }) => /(^|\/)(utils?|helpers?|common|manager)(\.ts|\/)/.test(path)),
    ).toEqual([]);
  });

  it('has one default export: the task of the pool', () => {
    expect(lines(sources, /\bexport default\b/).map((line) => line.split(':')[0])).toEqual([
      'workers/shard-worker.ts',
    ]);
  });

  it('has no file that nobody can read at one sitting', () => {
    const long = sources.map(({ path, text }) => [path, text.split('\n').length - 1] as const);
    expect(long.filter(([, count]) => count > 350)).toEqual([]);
  });

  it('leaves nothing to do in a comment', () => {
    const word = new RegExp(['TO', 'DO|FIX', 'ME'].join(''));
    const marked = [...sources, ...tests].filter(({ text }) => word.test(text));
    expect(marked.map(({ path }) => path)).toEqual([]);
  });

  it('reads no wall clock, writes no log and counts in no library where every frame passes', () => {
    const hot = [
      ...[
        'src/shard/ring.ts',
        'src/shard/record.ts',
        'src/shard/doorbell.ts',
        'src/shard/clock.ts',
      ],
      ...['src/serializer/stream-codec.ts', 'src/serializer/media-scan.ts'],
      ...['workers/session/playout.ts', 'workers/session/byte-queue.ts', 'workers/outbox.ts'],
    ];
    const found = sources.filter(({ path }) => hot.includes(path));
    expect(found).toHaveLength(hot.length);
    expect(
      lines(found, /Date\.now|new Date|\blog\.(trace|debug|info|warn|error)\b|setTimeout\(async/),
    ).toEqual([]);
    expect(
      shown(
        found
          .flatMap((source) => source.imports)
          .filter(({ target }) => /prom-client|^src\/(log|metrics)/.test(target)),
      ),
    ).toEqual([]);
  });

  it('passes no thread message per frame: ports are for doorbells', () => {
    const ports = lines(
      sources.filter(({ path }) => !path.startsWith('load/')),
      /\.postMessage\(/,
    );
    // Routes change a few times in the life of a gateway.
    const places = new Set(ports.map((line) => line.split(':')[0]));
    expect([...places]).toEqual(['src/shard/doorbell.ts', 'src/shard/routing.ts']);
  });
});
