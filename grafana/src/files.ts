import { stringify } from 'yaml';
import { built } from './boards.js';
import { hangups } from './hangups.js';
import { alerts, recordings } from './rules.js';
import { sound } from './sound.js';
import { time } from './time.js';
import { upstreams } from './upstreams.js';
import { well } from './well.js';

export const boards = [well, time, sound, hangups, upstreams] as const;

/** Prometheus's format; one line for each expression, so that a difference is seen where it is. */
function rulesText(name: string, interval: string, rules: readonly object[]): string {
  const text = stringify({ groups: [{ name, interval, rules }] }, { lineWidth: 0 });
  return `# Generated: npm run dashboards\n${text}`;
}

/** All generated files: path below grafana/, and what is in it. */
export function files(): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const board of boards) {
    const name = board.uid.replace('plivo-gateway-', '');
    found.set(`dashboards/${name}.json`, `${JSON.stringify(built(board), null, 2)}\n`);
  }
  found.set('rules/recording.yaml', rulesText('plivo-gateway-recording', '15s', recordings));
  found.set('rules/alerts.yaml', rulesText('plivo-gateway-alerts', '15s', alerts));
  return found;
}
