/** A series as an expression names it: its metric, and what each label has to be. */
export interface Named {
  readonly metric: string;
  readonly matchers: readonly {
    readonly label: string;
    readonly operator: string;
    readonly value: string;
  }[];
}

const selector = /\b((?:plivo_gateway|process|nodejs)_[a-z0-9_]+)(?:\{([^}]*)\})?/g;
const matcher = /([a-z_]+)(=~|!~|!=|=)"((?:[^"\\]|\\.)*)"/g;

/** Every series that an expression names; those of recording rules, whose names have colons, aside. */
export function namedIn(expression: string): Named[] {
  const bare = expression.replace(/\b[a-z_]+:[a-z0-9_:]+/g, 'recorded');
  return [...bare.matchAll(selector)].map(([, metric = '', inBraces = '']) => ({
    metric,
    matchers: [...inBraces.matchAll(matcher)].map(([, label = '', operator = '', value = '']) => ({
      ...{ label, operator, value },
    })),
  }));
}
