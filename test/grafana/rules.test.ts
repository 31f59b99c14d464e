import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { alerts, recordings } from '../../grafana/src/rules.js';
import { phaseMinutes, type Series, scenes } from './scenes.js';

const run = promisify(execFile);
const folder = fileURLToPath(new URL('../../grafana', import.meta.url));
const rules = ['recording', 'alerts'].map((name) => join(folder, `rules/${name}.yaml`));
const scratch = mkdtempSync(join(tmpdir(), 'rules-'));
afterAll(() => rmSync(scratch, { recursive: true }));

/** Of Debian's package `prometheus`. */
const isHere = spawnSync('promtool', ['--version']).status === 0;
if (!isHere) console.warn('promtool is not here: the rules are not tried out');

const firing = (alert: string) =>
  `count(ALERTS{alertname="${alert}",alertstate="firing"}) or vector(0)`;

interface Look {
  readonly at: string;
  readonly isFiring: boolean;
}

function tryOut(alert: string, input: readonly Series[], looks: readonly Look[], interval: string) {
  return {
    interval,
    input_series: input,
    promql_expr_test: looks.map(({ at, isFiring }) => ({
      expr: firing(alert),
      eval_time: at,
      exp_samples: [{ labels: '{}', value: isFiring ? 1 : 0 }],
    })),
  };
}

/** Throws with what promtool says. The alert is tried out with the recording rules, and without the others: it takes time. */
async function promtool(
  alert: string,
  tests: readonly object[],
  evaluation_interval = '1m',
): Promise<void> {
  const [rulesFile, testFile] = [join(scratch, `${alert}.rules`), join(scratch, `${alert}.tests`)];
  const mine = [...recordings, ...alerts.filter((rule) => rule.alert === alert)];
  // JSON is YAML.
  writeFileSync(rulesFile, JSON.stringify({ groups: [{ name: 'all', rules: mine }] }));
  writeFileSync(testFile, JSON.stringify({ rule_files: [rulesFile], evaluation_interval, tests }));
  await run('promtool', ['test', 'rules', testFile]);
}

describe.runIf(isHere)('Prometheus', () => {
  it('takes the rules and the configuration', async () => {
    await run('promtool', ['check', 'rules', ...rules]);
    await run('promtool', ['check', 'config', join(folder, 'prometheus.yml')]);
  });

  it('has a scene for each alert', () => {
    const named = [...Object.keys(scenes), 'PlivoGatewayNoCalls'];
    expect(named.toSorted()).toEqual(alerts.map(({ alert }) => alert).toSorted());
  });

  it.each(Object.entries(scenes))('%s fires, stays quiet, and clears', async (alert, scene) => {
    // What has to last for an hour does not last for 25 minutes.
    const isSlow = alerts.find((rule) => rule.alert === alert)?.for === '1h';
    const interval = isSlow ? '4m' : '1m';
    const at = (phase: number) => {
      const minutes = phase * phaseMinutes + phaseMinutes - 1;
      return `${isSlow ? 4 * minutes : minutes}m`;
    };
    const looks = [0, 1, 2].map((phase) => ({ at: at(phase), isFiring: phase === 1 }));
    const never = looks.map((look) => ({ ...look, isFiring: false }));
    await promtool(alert, [
      tryOut(alert, scene.series, looks, interval),
      ...(scene.quiet === undefined ? [] : [tryOut(alert, scene.quiet, never, interval)]),
      // A gateway that has just started.
      tryOut(alert, scene.series, [{ at: '0m', isFiring: false }], interval),
    ]);
  });

  it('PlivoGatewayNoCalls fires, stays quiet, and clears', async () => {
    const alert = 'PlivoGatewayNoCalls';
    const started = (values: string): Series => ({
      series: 'plivo_gateway_calls_started_total{instance="gw-1",job="plivo-gateway",route="main"}',
      values,
    });
    const up: Series = { series: 'up{instance="gw-1",job="plivo-gateway"}', values: '1x2100' };
    // A week and a day of a call each five minutes and route, ten of them; then two hours of none; then as before.
    const [perLook, dayLooks, weekLooks] = [10, 288, 2_016];
    const busy = weekLooks + 60;
    const before = perLook * busy;
    const silent = `0+${perLook}x${busy} ${before}x24 ${before}+${perLook}x24`;
    const never = `0x${busy + 60}`;
    const at = (looks: number) => `${5 * looks}m`;
    await promtool(
      alert,
      [
        tryOut(
          alert,
          [started(silent), { ...up, values: `1x${busy + 60}` }],
          [
            { at: at(busy - 2), isFiring: false },
            { at: at(busy + 20), isFiring: true },
            { at: at(busy + 40), isFiring: false },
          ],
          '5m',
        ),
        tryOut(
          alert,
          [started(never), { ...up, values: `1x${busy + 60}` }],
          [{ at: at(busy + 20), isFiring: false }],
          '5m',
        ),
        // New since yesterday: nothing is known of its usual day.
        tryOut(
          alert,
          [
            started(`0+${perLook}x${dayLooks} ${perLook * dayLooks}x100`),
            { ...up, values: '1x400' },
          ],
          [{ at: at(dayLooks + 20), isFiring: false }],
          '5m',
        ),
      ],
      '5m',
    );
  });
});
