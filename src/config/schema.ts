import { z } from 'zod';
import { ptimeMs } from '../limits.js';
import { callAction, networks, tokenSecrets } from './edge-kinds.js';
import { account, authId, authToken, route, upstream } from './items.js';
import {
  choice,
  documentUrl,
  duration,
  folder,
  headerValues,
  hostName,
  httpUrl,
  readableFile,
  type Surroundings,
  secret,
  shards,
  wholeNumber,
  writtenFile,
} from './kinds.js';
import { notesOf, optional, section, setting } from './notes.js';
import {
  drainEndings,
  fsyncs,
  logFormats,
  logLevels,
  privacyLevels,
  signaturePolicies,
} from './types.js';

const secondMs = 1_000;
const hourMs = 3_600 * secondMs;
const adminTokenText = 'a token of at least 16 characters, without spaces';

/** The whole configuration file. */
export const gatewaySchema = (surroundings: Surroundings) => {
  const { directory } = surroundings;
  return section({
    host: setting(hostName(), '0.0.0.0', {
      env: 'HOST',
      flag: '--host',
      description: 'Address that takes streams',
    }),
    port: setting(wholeNumber(0, 65_535), 8080, {
      env: 'PORT',
      flag: '--port',
      description: 'Port that takes streams; 0 is any free one',
    }),
    admin: section({
      host: setting(hostName(), '127.0.0.1', {
        env: 'ADMIN_HOST',
        flag: '--admin-host',
        description: 'Address of metrics, health and API; keep it private',
      }),
      port: setting(wholeNumber(0, 65_535), 9464, {
        env: 'ADMIN_PORT',
        flag: '--admin-port',
        description: 'Port of metrics, health and API; 0 is any free one',
      }),
      token: optional(secret(surroundings, /^[\x21-\x7e]{16,}$/, adminTokenText), {
        env: 'ADMIN_TOKEN',
        description: 'Bearer token for metrics and API, a secret; needed unless on loopback',
        hidden: true,
        leads: true,
      }),
    }).prefault({}),
    metrics: section({
      public: setting(z.boolean({ error: 'true or false' }), false, {
        description: '`true`: /metrics needs no token',
      }),
    }).prefault({}),
    tls: section({
      cert: optional(readableFile(directory, 'a PEM file with the certificate'), {
        description: 'PEM file of the certificate chain, relative to this file; needs `tls.key`',
      }),
      key: optional(readableFile(directory, 'a PEM file with the private key'), {
        description: 'PEM file of the private key, relative to this file; needs `tls.cert`',
      }),
    }).prefault({}),
    plivo: section({
      authId: optional(authId(surroundings), {
        env: 'PLIVO_AUTH_ID',
        description: 'Auth ID of the account whose calls are hung up; needs `plivo.authToken`',
        hidden: true,
        leads: true,
      }),
      authToken: optional(authToken(surroundings), {
        env: 'PLIVO_AUTH_TOKEN',
        description: 'Auth Token of that account, a secret; needs `plivo.authId`',
        hidden: true,
        leads: true,
      }),
      previousAuthToken: optional(authToken(surroundings), {
        env: 'PLIVO_AUTH_TOKEN_PREVIOUS',
        description: 'The Auth Token before its last rotation: what it signed is still believed',
        hidden: true,
        leads: true,
      }),
      apiUrl: setting(httpUrl(), 'https://api.plivo.com', {
        env: 'PLIVO_API_URL',
        description: "Where Plivo's REST API is",
      }),
    }).prefault({}),
    accounts: setting(z.array(account(surroundings), { error: 'a list of accounts' }), [], {
      description:
        'Further Plivo accounts and subaccounts, each with credentials and rate of its own',
      defaultText: 'none',
    }),
    publicUrl: optional(httpUrl(), {
      env: 'PUBLIC_URL',
      description:
        'How Plivo reaches this gateway: the start of all URLs that it is given, and signs',
    }),
    signatures: section({
      upgrade: setting(choice(signaturePolicies), 'enforce', {
        env: 'SIGNATURES_UPGRADE',
        description:
          'Streams without a token: `enforce` a signature, `observe` (only log), or `off`',
      }),
    }).prefault({}),
    answer: section({
      forward: optional(documentUrl(), {
        description: 'Your own answer service: its XML goes to Plivo, its stream comes here',
      }),
      whenBusy: setting(callAction(), 'hangup', {
        description:
          'Calls without a place: `hangup`, or `{ speak: … }`, `{ dial: … }`, `{ redirect: … }`',
      }),
      tokenSecret: optional(tokenSecrets(surroundings), {
        env: 'STREAM_TOKEN_SECRET',
        description:
          'What stream tokens are encrypted with; several, parted by commas, while it changes',
        defaultText: 'the Auth Tokens',
        hidden: true,
        leads: true,
      }),
    }).prefault({}),
    trustProxy: setting(networks(), [], {
      description: 'Addresses or networks of proxies whose word on who is behind them counts',
      defaultText: 'none',
    }),
    dataDir: setting(folder(surroundings, 'a folder for what must outlive the process'), './data', {
      env: 'DATA_DIR',
      flag: '--data-dir',
      description:
        'Folder where hang-ups are kept until Plivo confirms them; one gateway to a folder',
      leads: true,
    }),
    shards: setting(shards(), 'auto', {
      env: 'SHARDS',
      flag: '--shards',
      description: 'Worker threads, 1 to 64; `auto` is one less than there are cores, at least 1',
    }),
    limits: section({
      calls: setting(wholeNumber(1, 100_000), 2_000, {
        description: 'Live calls at most; further ones are refused',
      }),
      watchdog: setting(duration(200, hourMs, '1s'), '1s', {
        description: 'A worker that stands still for so long is replaced; its calls go on',
      }),
    }).prefault({}),
    playout: section({
      lead: setting(duration(20, 2 * secondMs, '200ms'), '200ms', {
        description: 'Audio that may lie at Plivo ahead of the caller; less makes barge-in quicker',
      }),
      chunk: setting(duration(ptimeMs, 10 * ptimeMs, '20ms', ptimeMs), '20ms', {
        description: 'Audio in one message to Plivo, in steps of 20ms up to 200ms',
      }),
      queue: setting(duration(secondMs, 600 * secondMs, '60s'), '60s', {
        description: 'Audio that a handler may queue in one call',
      }),
    }).prefault({}),
    drain: section({
      timeout: setting(duration(0, 24 * hourMs, '300s'), '300s', {
        description: 'How long calls may go on after SIGTERM',
      }),
      atDeadline: setting(choice(drainEndings), 'end', {
        description:
          'Then `end` them, `handover` to `/answer` of another node, or `leave` to the XML',
      }),
    }).prefault({}),
    hangup: section({
      lostStreamGrace: setting(duration(secondMs, 600 * secondMs, '30s'), '30s', {
        description: 'How long a broken stream may take to come back before its call is hung up',
      }),
      giveUpAfter: setting(duration(secondMs, 24 * hourMs, '1h'), '1h', {
        description: 'How long a hang-up is tried; then it is kept as failed',
      }),
      fsync: setting(choice(fsyncs), 'never', {
        description: '`tick`: a hang-up also outlives a power cut; slower',
      }),
      connections: setting(wholeNumber(1, 64), 48, {
        description: "Connections to each account's API",
      }),
      pipelining: setting(wholeNumber(1, 16), 1, {
        description: 'Requests under way on one connection',
      }),
      tick: setting(duration(5, secondMs, '50ms'), '50ms', {
        description: 'How often due hang-ups are gathered and sent',
      }),
      requests: setting(wholeNumber(0, 10_000), 300, {
        description: "Requests in any 5 s and account, Plivo's limit; 0 is none",
      }),
    }).prefault({}),
    log: section({
      level: setting(choice(logLevels), 'info', {
        env: 'LOG_LEVEL',
        flag: '--log-level',
        description: 'Least level that is logged',
      }),
      format: setting(choice(logFormats), 'auto', {
        env: 'LOG_FORMAT',
        description: '`pretty` or `json`; `auto` is pretty on a terminal, JSON otherwise',
      }),
    }).prefault({}),
    privacy: setting(choice(privacyLevels), 'masked', {
      description: 'Phone numbers in logs: `masked` or `full`',
    }),
    callRecords: section({
      log: setting(z.boolean({ error: 'true or false' }), true, {
        description: 'One log line at the end of each call',
      }),
      file: optional(writtenFile(directory, 'a file for call records'), {
        description: 'File that gets the record of each ended call as a line of JSON',
      }),
      webhook: optional(documentUrl(), {
        description: 'URL that gets the record of each ended call as a POST of JSON',
      }),
      headers: optional(headerValues(surroundings), {
        description: 'Headers of those requests, such as Authorization; values may be secrets',
        defaultText: 'none',
        hidden: true,
      }),
    }).prefault({}),
    capture: section({
      folder: optional(folder(surroundings, 'a folder for captures'), {
        description: 'Folder for captures of single calls; without it none can be taken',
      }),
    }).prefault({}),
    upstreams: setting(z.array(upstream(surroundings), { error: 'a list of upstreams' }), [], {
      description: 'Applications behind the gateway, each at one or more addresses',
      defaultText: 'none',
    }),
    routes: setting(
      z
        .array(route(directory), { error: 'a list of routes' })
        .min(1, 'at least one route; without the setting, echo takes every call'),
      [{ name: 'default', handler: 'echo' }],
      {
        description: 'Which handler takes which call; the first route that matches',
        defaultText: 'echo for every call',
      },
    ),
  });
};

export type ParsedConfig = z.output<ReturnType<typeof gatewaySchema>>;

/** The configuration file itself, which is no setting inside it. */
export const configFile = {
  env: 'GATEWAY_CONFIG',
  flag: '--config',
  default: 'gateway.yaml',
  description: 'Configuration file; the default one may be absent',
} as const;

/** One setting; `path` is its place in the file, with `[]` for any item of a list. */
export interface Setting {
  readonly path: string;
  readonly env?: string;
  readonly flag?: string;
  readonly default: string | undefined;
  readonly description: string;
  readonly hidden: boolean;
  /** See `SettingNotes`. A value that was read already is read as itself. */
  readonly leads: boolean;
  /** Checks a value that came as it would stand in the file. */
  readonly kind: z.ZodType;
}

function collect(kind: z.core.$ZodType, path: string, found: Setting[]): void {
  const notes = notesOf.get(kind);
  if (notes) {
    const value = kind instanceof z.ZodPrefault ? String(kind.def.defaultValue) : undefined;
    found.push({
      path,
      ...(notes.env && { env: notes.env }),
      ...(notes.flag && { flag: notes.flag }),
      default: notes.defaultText ?? value,
      description: notes.description,
      hidden: notes.hidden ?? false,
      leads: notes.leads ?? false,
      kind: kind as z.ZodType,
    });
  }
  if (kind instanceof z.ZodPrefault || kind instanceof z.ZodOptional) {
    collect(kind.def.innerType, path, found);
  } else if (kind instanceof z.ZodArray) {
    collect(kind.def.element, `${path}[]`, found);
  } else if (kind instanceof z.ZodObject) {
    for (const [key, inner] of Object.entries(kind.def.shape)) {
      collect(inner, path ? `${path}.${key}` : key, found);
    }
  }
}

/** Every setting, in the order of the schema above. */
export function settingsIn(surroundings: Surroundings): readonly Setting[] {
  const found: Setting[] = [];
  collect(gatewaySchema(surroundings), '', found);
  return found;
}

/** For their names and texts. */
export const settings = settingsIn({ directory: '.', environment: {} });
