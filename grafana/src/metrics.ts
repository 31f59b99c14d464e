/** How series are named and chosen, in panels and in rules alike. */

/** As Prometheus scrapes it: the label that tells a gateway from other targets. */
export const job = 'plivo-gateway';

/** The route of `plivo-gateway doctor`: no caller's. */
const notDoctor = 'route!="(doctor)"';

const chosen = {
  instance: 'instance=~"$instance"',
  route: `route=~"$route",${notDoctor}`,
  upstream: 'upstream=~"$upstream"',
} as const;

/** Which variables of a dashboard a metric is chosen by. */
export type Choice = keyof typeof chosen;

/** `plivo_gateway_<name>` of the gateways that the reader has chosen, by the dashboard's variables. */
export function of(name: string, matchers = '', ...choices: Choice[]): string {
  const all: string[] = ['instance' as const, ...choices].map((choice) => chosen[choice]);
  if (matchers !== '') all.push(matchers);
  return `plivo_gateway_${name}{${all.join(',')}}`;
}

/** A metric of the process, by its whole name. */
export function ofProcess(name: string): string {
  return `${name}{job="${job}",${chosen.instance}}`;
}

/** Per second, over what the panel draws as one point. */
export const rate = (selector: string): string => `rate(${selector}[$__rate_interval])`;

/** Over the whole time that the dashboard shows. */
export const inRange = (selector: string): string => `increase(${selector}[$__range])`;

export const sum = (expression: string, ...by: string[]): string =>
  by.length === 0 ? `sum(${expression})` : `sum by (${by.join(', ')}) (${expression})`;

/** A quantile of a histogram, for each value of some labels. */
export function quantile(q: number, buckets: string, ...by: string[]): string {
  return `histogram_quantile(${q}, ${sum(rate(buckets), 'le', ...by)})`;
}

/** Mean of a histogram. */
export function mean(name: string, select: (name: string) => string, ...by: string[]): string {
  return `${sum(rate(select(`${name}_sum`)), ...by)} / ${sum(rate(select(`${name}_count`)), ...by)}`;
}

/** A part of a whole, 0 where there is none of it, and nothing where there is nothing of the whole. */
export const share = (part: string, whole: string): string => `(${part}) / (${whole} > 0)`;

/** Parts of a frame's way, in the order in which it takes them. */
export const stages = [
  ...(['to-ring', 'ring-in', 'queue', 'decode', 'handler', 'encode', 'ring-out', 'send'] as const),
];

/** End reasons of calls that went wrong, whoever's fault it was; all others are how calls end. */
export const failedReasons = [
  ...['stream-dropped', 'no-start', 'wrong-call', 'message-too-large', 'slow-reader'],
  ...['handler-error', 'upstream-failed', 'upstream-lost', 'drain-deadline'],
  ...['shard-lost', 'gateway-error', 'shard-overrun'],
].join('|');

/** Refusals of those who are not Plivo, or say so wrongly. */
export const strangerReasons = [
  ...['token-malformed', 'token-forged', 'token-expired', 'token-ended', 'unsigned'],
  ...['bad-signature', 'too-many-failures'],
].join('|');

/** Refusals of callers that the gateway has no room or no route for. A drain refuses on purpose. */
export const turnedAwayReasons = ['full', 'no-shard', 'no-route'].join('|');

/** Audio that was put aside. */
export const droppedAudioReasons = [
  ...['ingress-full', 'egress-full', 'slow-reader', 'queue-full', 'upstream-slow', 'bad-payload'],
].join('|');

/** Hang-ups that will not be tried again: somebody has to look. */
export const failedHangups = [
  'refused',
  'gave-up',
  'no-credentials',
  'no-account',
  'queue-full',
].join('|');
