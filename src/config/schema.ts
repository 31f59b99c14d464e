import { z } from 'zod';
import { ptimeMs } from '../limits.js';
import {
  audioRate,
  choice,
  duration,
  folder,
  handler,
  hostName,
  httpUrl,
  phoneNumbers,
  readableFile,
  type Surroundings,
  secret,
  shards,
  textLike,
  wholeNumber,
} from './kinds.js';
import {
  fsyncs,
  logFormats,
  logLevels,
  lostStreamPolicies,
  privacyLevels,
  streamPaths,
} from './types.js';

interface SettingNotes {
  readonly description: string;
  /** Environment variable. */
  readonly env?: string;
  readonly flag?: string;
  /** In place of the default as it would stand in the file. */
  readonly defaultText?: string;
  /** What was found is never printed. */
  readonly hidden?: true;
  /** The value leads elsewhere: from outside the file it is relative to the working directory. */
  readonly leads?: true;
}

const notesOf = z.registry<SettingNotes>();

function noted<S extends z.ZodType>(kind: S, notes: SettingNotes): S {
  notesOf.add(kind, notes);
  return kind;
}

function setting<S extends z.ZodType>(kind: S, value: z.input<S>, notes: SettingNotes) {
  return noted(kind.prefault(value), notes);
}

function optional<S extends z.ZodType>(kind: S, notes: SettingNotes) {
  return noted(kind.optional(), notes);
}

function section<T extends z.core.$ZodLooseShape>(shape: T) {
  return z.strictObject(shape, { error: 'settings, each with a name' });
}

const secondMs = 1_000;
const hourMs = 3_600 * secondMs;

const shortName = () =>
  textLike(/^[a-z0-9_-]{1,40}$/, 'up to 40 of the characters a to z, 0 to 9, _ and -');

const authId = (surroundings: Surroundings) =>
  secret(surroundings, /^[A-Za-z0-9_-]+$/, 'the letters and digits of an Auth ID');

const authToken = (surroundings: Surroundings) =>
  secret(surroundings, /^[\x21-\x7e]+$/, 'an Auth Token without spaces');

const route = (directory: string) =>
  section({
    name: optional(shortName(), {
      description: 'Name in logs and metrics, unique',
      defaultText: "the handler's name",
    }),
    path: optional(choice(streamPaths), {
      description: 'Only streams that connect to this path',
      defaultText: 'both',
    }),
    to: optional(phoneNumbers(), {
      description: 'Only calls to this number or these, each quoted; a * at the end for a prefix',
      defaultText: 'any',
    }),
    from: optional(phoneNumbers(), {
      description: 'Only calls from this number or these, in the same form',
      defaultText: 'any',
    }),
    handler: noted(handler(directory), {
      description: 'Who answers: `echo`, `ivr`, or a .js or .mjs file, relative to this file',
      defaultText: 'required',
    }),
    sampleRate: setting(audioRate(), 16_000, {
      description: 'Sample rate of the audio that the handler hears and plays, Hz',
    }),
    account: optional(shortName(), {
      description: 'Account whose calls these are: a name under `accounts`, or `default`',
      defaultText: 'by the Auth ID that Plivo sends',
    }),
    onStreamLost: setting(choice(lostStreamPolicies), 'hangup', {
      description: '`leave`: a call whose stream broke and did not come back is not hung up',
    }),
  });

const account = (surroundings: Surroundings) =>
  section({
    name: noted(shortName(), {
      description: 'Name in logs and metrics, unique and not `default`',
      defaultText: 'required',
    }),
    authId: noted(authId(surroundings), {
      description: 'Auth ID of the account or subaccount, or a reference',
      defaultText: 'required',
      hidden: true,
    }),
    authToken: noted(authToken(surroundings), {
      description: 'Its Auth Token, best as a reference to a variable or a file',
      defaultText: 'required',
      hidden: true,
    }),
    apiUrl: optional(httpUrl(), {
      description: "Where Plivo's REST API is for this account",
      defaultText: 'plivo.apiUrl',
    }),
  });

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
      description: "How Plivo reaches this gateway; without it Plivo's webhooks are not believed",
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
