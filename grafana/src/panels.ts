import * as bargauge from '@grafana/grafana-foundation-sdk/bargauge';
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import * as common from '@grafana/grafana-foundation-sdk/common';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import * as prometheus from '@grafana/grafana-foundation-sdk/prometheus';
import * as stat from '@grafana/grafana-foundation-sdk/stat';
import * as timeseries from '@grafana/grafana-foundation-sdk/timeseries';

export const datasource = { type: 'prometheus', uid: '$datasource' };

/** Grafana's names of the units that are used here. */
export type Unit = 's' | 'percentunit' | 'short' | 'bytes' | 'Bps' | 'ops' | 'cps' | 'dtdurations';

/** A query and what its lines are called: `{{label}}` stands for a label's value. */
export type Query = readonly [expression: string, legend: string];

interface Words {
  readonly title: string;
  /** What the reader is to conclude. */
  readonly about: string;
  readonly unit: Unit;
}

/** Where green turns to orange and to red; falling: what is less is worse. */
export interface Levels {
  readonly warn?: number;
  readonly bad: number;
  readonly falling?: boolean;
}

type Panel = Builder<dashboard.Panel>;

function query(
  [expression, legend]: Query,
  index: number,
  isInstant: boolean,
): prometheus.DataqueryBuilder {
  const built = new prometheus.DataqueryBuilder()
    .expr(expression)
    .legendFormat(legend)
    .refId(String.fromCharCode(65 + index))
    .datasource(datasource);
  return isInstant ? built.instant() : built.range();
}

function steps(levels: Levels | undefined): dashboard.ThresholdsConfigBuilder {
  const config = new dashboard.ThresholdsConfigBuilder().mode(dashboard.ThresholdsMode.Absolute);
  if (levels === undefined) return config.steps([{ value: null, color: 'blue' }]);
  const { warn, bad, falling = false } = levels;
  const rising = [
    { value: null, color: 'green' },
    ...(warn === undefined ? [] : [{ value: warn, color: 'orange' }]),
    { value: bad, color: 'red' },
  ];
  const sinking = [
    { value: null, color: 'red' },
    ...(warn === undefined ? [] : [{ value: bad, color: 'orange' }]),
    { value: warn ?? bad, color: 'green' },
  ];
  return config.steps(falling ? sinking : rising);
}

/** One number, coloured by its levels. Nothing to count is said in words, not as a gap. */
export function number(
  { title, about, unit }: Words,
  expression: string,
  levels?: Levels,
  decimals?: number,
): Panel {
  const panel = new stat.PanelBuilder()
    .title(title)
    .description(about)
    .datasource(datasource)
    .unit(unit)
    .noValue('none yet')
    .thresholds(steps(levels))
    .colorScheme(new dashboard.FieldColorBuilder().mode(dashboard.FieldColorModeId.Thresholds))
    .colorMode(common.BigValueColorMode.Value)
    .graphMode(common.BigValueGraphMode.None)
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']).values(false))
    .withTarget(query([expression, title], 0, true))
    .height(4)
    .span(4);
  return decimals === undefined ? panel : panel.decimals(decimals);
}

/** Lines over time; with levels, the worst of them is drawn as a line too. */
export function lines(
  { title, about, unit }: Words,
  queries: readonly Query[],
  { levels, stacked = false, max, wide = false }: LineOptions = {},
): Panel {
  const panel = new timeseries.PanelBuilder()
    .title(title)
    .description(about)
    .datasource(datasource)
    .unit(unit)
    .min(0)
    .lineWidth(1)
    .fillOpacity(stacked ? 40 : 0)
    .showPoints(common.VisibilityMode.Never)
    .spanNulls(false)
    .legend(
      new common.VizLegendOptionsBuilder()
        .displayMode(common.LegendDisplayMode.List)
        .placement(common.LegendPlacement.Bottom)
        .showLegend(true),
    )
    .tooltip(
      new common.VizTooltipOptionsBuilder()
        .mode(common.TooltipDisplayMode.Multi)
        .sort(common.SortOrder.Descending),
    )
    .height(8)
    .span(wide ? 24 : 12);
  if (max !== undefined) panel.max(max);
  if (stacked) panel.stacking(new common.StackingConfigBuilder().mode(common.StackingMode.Normal));
  if (levels !== undefined) {
    panel
      .thresholds(steps(levels))
      .thresholdsStyle(
        new common.GraphThresholdsStyleConfigBuilder().mode(common.GraphThresholdsStyleMode.Dashed),
      );
  }
  for (const [index, one] of queries.entries()) panel.withTarget(query(one, index, false));
  return panel;
}

export interface LineOptions {
  readonly levels?: Levels;
  /** On top of each other: parts of a whole. */
  readonly stacked?: boolean;
  readonly max?: number;
  readonly wide?: boolean;
}

/** A bar for each value of a label, now. */
export function bars(
  { title, about, unit }: Words,
  [expression, legend]: Query,
  levels?: Levels,
): Panel {
  return new bargauge.PanelBuilder()
    .title(title)
    .description(about)
    .datasource(datasource)
    .unit(unit)
    .min(0)
    .noValue('none yet')
    .thresholds(steps(levels))
    .colorScheme(new dashboard.FieldColorBuilder().mode(dashboard.FieldColorModeId.Thresholds))
    .orientation(common.VizOrientation.Horizontal)
    .displayMode(common.BarGaugeDisplayMode.Basic)
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']).values(false))
    .withTarget(query([expression, legend], 0, true))
    .height(8)
    .span(12);
}
