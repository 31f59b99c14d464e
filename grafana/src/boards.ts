import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import { job } from './metrics.js';
import { datasource } from './panels.js';

export interface Board {
  /** The question that it answers. */
  readonly question: string;
  readonly uid: string;
  /** How it is read, in a sentence or two. */
  readonly about: string;
  readonly variables: readonly ('route' | 'upstream')[];
  readonly rows: readonly Row[];
}

export interface Row {
  readonly title: string;
  readonly panels: readonly Builder<dashboard.Panel>[];
}

const labels = { instance: 'Gateway', route: 'Route', upstream: 'Upstream' } as const;

/** What the values of a variable are taken from. */
const sources = {
  instance: `label_values(up{job="${job}"}, instance)`,
  route:
    'label_values(plivo_gateway_calls_started_total{instance=~"$instance",route!="(doctor)"}, route)',
  upstream: 'label_values(plivo_gateway_upstream_calls{instance=~"$instance"}, upstream)',
} as const;

function variable(name: keyof typeof sources): dashboard.QueryVariableBuilder {
  return new dashboard.QueryVariableBuilder(name)
    .label(labels[name])
    .datasource(datasource)
    .query({ query: sources[name], refId: name })
    .refresh(dashboard.VariableRefresh.OnTimeRangeChanged)
    .sort(dashboard.VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .allValue('.*')
    .current({ selected: true, text: 'All', value: '$__all' });
}

/** As Grafana takes it. */
export function built({ question, uid, about, variables, rows }: Board): dashboard.Dashboard {
  const board = new dashboard.DashboardBuilder(question)
    .uid(uid)
    .description(about)
    .tags([job])
    .editable()
    .tooltip(dashboard.DashboardCursorSync.Crosshair)
    .time({ from: 'now-1h', to: 'now' })
    .refresh('10s')
    .timezone('browser')
    .withVariable(
      new dashboard.DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'),
    )
    .withVariable(variable('instance'))
    .link(
      new dashboard.DashboardLinkBuilder('The other questions')
        .type(dashboard.DashboardLinkType.Dashboards)
        .tags([job])
        .asDropdown(true)
        .keepTime(true)
        .includeVars(true),
    );
  for (const name of variables) board.withVariable(variable(name));
  let id = 0;
  for (const { title, panels } of rows) {
    board.withRow(new dashboard.RowBuilder(title).id((id += 1)));
    for (const panel of panels) board.withPanel(withId(panel, (id += 1)));
  }
  return board.build();
}

/** Without ids of its own Grafana gives them at random, and links to a panel would not last. */
function withId(panel: Builder<dashboard.Panel>, id: number): Builder<dashboard.Panel> {
  return { build: () => ({ ...panel.build(), id }) };
}
