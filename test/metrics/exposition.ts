/** One sample of Prometheus's text format. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly type: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

const sampleLine =
  /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? ([Nn]a[Nn]|[+-]?Inf|[-+]?[0-9.]+(?:e[-+]?\d+)?)$/;
const labelPair = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)",?/g;

/** Parses the text format strictly: throws on a line that is none of it, or a sample outside of its family. */
export function parseExposition(text: string): ReadonlyMap<string, Family> {
  const families = new Map<string, { type: string; help: string; samples: Sample[] }>();
  let current = '';
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const comment = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line);
    if (comment !== null) {
      const [, kind, name, content] = comment as unknown as [string, string, string, string];
      current = name;
      const family = families.get(name) ?? { type: '', help: '', samples: [] };
      if (kind === 'TYPE') family.type = content;
      else if (family.help !== '') throw new Error(`two families are called ${name}`);
      else family.help = content;
      families.set(name, family);
      continue;
    }
    const sample = sampleLine.exec(line);
    if (sample === null) throw new Error(`not a sample: ${line}`);
    const [, name, labels = '', value] = sample as unknown as [string, string, string, string];
    const family = families.get(current);
    const ofFamily = family?.type === 'histogram' ? /^(.*?)(?:_bucket|_sum|_count)?$/ : /^(.*)$/;
    if (ofFamily.exec(name)?.[1] !== current) throw new Error(`${name} stands under ${current}`);
    family?.samples.push({ name, labels: readLabels(labels), value: Number(value) });
  }
  return families;
}

function readLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  const rest = text.replace(labelPair, (_, name: string, value: string) => {
    if (name in labels) throw new Error(`doubled label ${name}`);
    labels[name] = value;
    return '';
  });
  if (rest !== '') throw new Error(`bad labels: ${text}`);
  return labels;
}
