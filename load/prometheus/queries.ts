import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

/** One query of a panel, or of a rule. */
export interface Query {
  readonly expression: string;
  /** What its lines are called, `{{label}}` standing for a label's value; empty for a rule. */
  readonly legend: string;
  /** A number as it is now, and not over time. */
  readonly isInstant: boolean;
}

export interface Step {
  /** From here on; null for the first. */
  readonly value: number | null;
  readonly color: string;
}

export interface Panel {
  readonly title: string;
  readonly about: string;
  readonly kind: string;
  readonly unit: string;
  readonly decimals: number | undefined;
  readonly max: number | undefined;
  readonly isStacked: boolean;
  /** Only where the levels are drawn. */
  readonly steps: readonly Step[];
  readonly place: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
  readonly queries: readonly Query[];
}

export interface Board {
  readonly title: string;
  readonly about: string;
  /** Rows too, which have no queries. */
  readonly panels: readonly Panel[];
}

export interface Rule {
  /** Of the alert, or of the series that is recorded. */
  readonly name: string;
  readonly kind: 'alert' | 'recording';
  readonly expression: string;
}

interface GrafanaPanel {
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: Panel['place'];
  readonly targets?: readonly {
    readonly expr: string;
    readonly legendFormat?: string;
    readonly instant?: boolean;
  }[];
  readonly fieldConfig?: {
    readonly defaults: {
      readonly unit?: string;
      readonly decimals?: number;
      readonly max?: number;
      readonly thresholds?: { readonly steps: readonly Step[] };
      readonly custom?: { readonly stacking?: { readonly mode: string } };
    };
  };
  readonly panels?: readonly GrafanaPanel[];
}

/** The dashboards below a folder such as grafana/, in the order of their files. */
export function readBoards(folder: string): Board[] {
  const names = readdirSync(join(folder, 'dashboards')).filter((name) => name.endsWith('.json'));
  return names.toSorted().map((name) => {
    const text = readFileSync(join(folder, 'dashboards', name), 'utf8');
    const { title, description, panels } = JSON.parse(text) as {
      readonly title: string;
      readonly description?: string;
      readonly panels: readonly GrafanaPanel[];
    };
    const all = panels.flatMap((panel) => [panel, ...(panel.panels ?? [])]);
    return { title, about: description ?? '', panels: all.map(panelOf) };
  });
}

function panelOf({ type, title, description, gridPos, targets, fieldConfig }: GrafanaPanel): Panel {
  const { unit, decimals, max, thresholds, custom } = fieldConfig?.defaults ?? {};
  return {
    ...{ title, about: description ?? '', kind: type, unit: unit ?? 'short', decimals, max },
    isStacked: custom?.stacking?.mode === 'normal',
    steps: thresholds?.steps ?? [],
    place: gridPos,
    queries: (targets ?? []).map(({ expr, legendFormat = '', instant = false }) => ({
      expression: expr,
      legend: legendFormat,
      isInstant: instant,
    })),
  };
}

/** The rules below a folder such as grafana/. */
export function readRules(folder: string): Rule[] {
  const names = readdirSync(join(folder, 'rules')).filter((name) => name.endsWith('.yaml'));
  return names.flatMap((name) => {
    const { groups } = parse(readFileSync(join(folder, 'rules', name), 'utf8')) as {
      readonly groups: readonly {
        readonly rules: readonly {
          readonly alert?: string;
          readonly record?: string;
          readonly expr: string;
        }[];
      }[];
    };
    return groups
      .flatMap(({ rules }) => rules)
      .map(({ alert, record, expr }): Rule => {
        if (alert !== undefined) return { name: alert, kind: 'alert', expression: expr };
        return { name: record ?? '', kind: 'recording', expression: expr };
      });
  });
}

/** An expression as Grafana sends it to Prometheus: everything is chosen, and the time shown is that of the run. */
export function filledIn(expression: string, rangeSeconds: number, rateSeconds: number): string {
  return expression
    .replaceAll('$__rate_interval', `${rateSeconds}s`)
    .replaceAll('$__range', `${rangeSeconds}s`)
    .replaceAll(/\$(?:instance|route|upstream)\b/g, '.*');
}
