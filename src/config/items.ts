import { z } from 'zod';
import { streamContentTypes } from '../plivo/xml.js';
import { callAction, extraHeaders } from './edge-kinds.js';
import {
  audioRate,
  choice,
  documentUrl,
  duration,
  handler,
  headerValues,
  httpUrl,
  phoneNumbers,
  queryValues,
  readableFile,
  type Surroundings,
  secret,
  textLike,
  upstreamAddresses,
  wholeNumber,
} from './kinds.js';
import { noted, optional, section, setting } from './notes.js';
import {
  balances,
  callDirections,
  discoveries,
  lostStreamPolicies,
  streamPaths,
  upstreamLostPolicies,
  upstreamProtocols,
} from './types.js';

/** What the lists of the configuration hold. */

const shortName = () =>
  textLike(/^[a-z0-9_-]{1,40}$/, 'up to 40 of the characters a to z, 0 to 9, _ and -');

export const authId = (surroundings: Surroundings) =>
  secret(surroundings, /^[A-Za-z0-9_-]+$/, 'the letters and digits of an Auth ID');

export const authToken = (surroundings: Surroundings) =>
  secret(surroundings, /^[\x21-\x7e]+$/, 'an Auth Token without spaces');

/** One of `routes`. */
export const route = (directory: string) =>
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
    direction: optional(choice(callDirections), {
      description: 'Only calls whose stream URL says `direction=inbound` or `outbound`',
      defaultText: 'both',
    }),
    query: optional(queryValues(), {
      description: 'Only streams whose URL has these values in its query, each quoted',
      defaultText: 'any',
    }),
    share: optional(wholeNumber(1, 100), {
      description: 'Percentage of the calls that match; the others go on to the next route',
      defaultText: 'all',
    }),
    handler: optional(handler(directory), {
      description: 'Who answers: `echo`, `ivr`, or a .js or .mjs file, relative to this file',
      defaultText: 'this or another target',
    }),
    upstream: optional(shortName(), {
      description: 'Who answers: an application behind the gateway, a name under `upstreams`',
    }),
    lookup: optional(documentUrl(), {
      description: 'Who answers: what the service at this URL says; see docs/upstreams.md',
    }),
    onUpstreamLost: setting(choice(upstreamLostPolicies), 'fallback', {
      description: 'When the upstream breaks off: `fallback`, `reconnect`, or `hangup`',
    }),
    fallback: optional(shortName(), {
      description: 'Route that goes on when the upstream or the lookup fails',
      defaultText: 'none: hang up',
    }),
    autoHangUp: setting(z.boolean({ error: 'true or false' }), true, {
      description: 'Hang up when the upstream closes; `false` for one that does so itself',
    }),
    meanwhile: optional(readableFile(directory, 'a WAV file'), {
      description: 'WAV that callers hear until the upstream speaks, again and again',
      defaultText: 'silence',
    }),
    play: optional(readableFile(directory, 'a WAV file'), {
      description: 'Nobody answers: the caller hears this WAV, and is hung up',
    }),
    reject: optional(
      textLike(/^[\x20-\x7e]{1,100}$/, 'a reason for the log, of up to 100 plain characters'),
      { description: 'Nobody answers: the call is hung up, and this reason logged' },
    ),
    redirect: optional(documentUrl(), {
      description: 'The call goes on with the answer document at this URL',
    }),
    sampleRate: setting(audioRate(), 16_000, {
      description: 'Sample rate of the audio that the handler hears and plays, Hz',
    }),
    account: optional(shortName(), {
      description:
        'Only calls of this account: a name under `accounts`, or `default`; it hangs them up',
      defaultText: 'by the Auth ID that Plivo sends',
    }),
    onStreamLost: setting(choice(lostStreamPolicies), 'hangup', {
      description: '`leave`: a call whose stream broke and did not come back is not hung up',
    }),
    contentType: setting(choice(streamContentTypes), 'audio/x-mulaw;rate=8000', {
      description: 'Format of the streams that `/answer` asks Plivo for',
    }),
    streamTimeout: optional(duration(1_000, 86_400_000, '1h', 1_000), {
      description: 'How long a stream may last; then `afterStream`',
      defaultText: '24h, by Plivo',
    }),
    extraHeaders: optional(extraHeaders(), {
      description: 'Names and values that come with `start`; 512 bytes together',
      defaultText: 'none',
    }),
    noiseCancellation: optional(wholeNumber(60, 100), {
      description: "Plivo's noise cancellation of the caller's audio, its level",
      defaultText: 'none',
    }),
    afterStream: setting(callAction(), 'hangup', {
      description: 'What Plivo does when a stream has ended; the same as for `answer.whenBusy`',
    }),
  });

/** One of `upstreams`. */
export const upstream = (surroundings: Surroundings) =>
  section({
    name: noted(shortName(), {
      description: 'Name in routes, logs and metrics, unique',
      defaultText: 'required',
    }),
    protocol: noted(choice(upstreamProtocols), {
      description: '`plivo`, `pipecat` or `pcm`; see docs/upstreams.md',
      defaultText: 'required',
    }),
    urls: noted(upstreamAddresses(), {
      description: 'Its addresses, ws or wss, each with `{call}`, `{from}` and so on where needed',
      defaultText: 'required',
    }),
    discover: setting(choice(discoveries), 'list', {
      description: '`dns`: each address is all that its name resolves to, asked every 5 s',
    }),
    health: optional(textLike(/^(connect|\/[\x21-\x7e]*)$/, 'connect, or a path as in /health'), {
      description: 'Checks each address every 5 s: `connect`, or the path of an HTTP GET',
      defaultText: 'none',
    }),
    balance: setting(choice(balances), 'least-calls', {
      description: 'Who gets a call: `least-calls`, `weighted`, or `caller` (the same for each)',
    }),
    callsPerAddress: setting(wholeNumber(0, 100_000), 0, {
      description: 'Calls at one address; 1 for a bot that takes one client; 0 is any number',
    }),
    sampleRate: setting(audioRate(), 16_000, {
      description: 'Sample rate that it listens at, Hz; for `pipecat` that of its pipeline',
    }),
    headers: optional(headerValues(surroundings), {
      description: 'Headers of its connections; a value may be a reference to a secret',
      defaultText: 'none',
      hidden: true,
    }),
    ca: optional(readableFile(surroundings.directory, 'a PEM file with certificates'), {
      description: 'PEM file of the authorities to believe, for wss, relative to this file',
      defaultText: 'those of Node',
    }),
    connectTimeout: setting(duration(100, 60_000, '3s'), '3s', {
      description: 'How long addresses are tried for one call',
    }),
    readyTimeout: setting(duration(0, 60_000, '10s'), '0s', {
      description: 'How long the first audio may take before another address is tried; 0s is ever',
    }),
  });

/** One of `accounts`. */
export const account = (surroundings: Surroundings) =>
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
    previousAuthToken: optional(authToken(surroundings), {
      description: 'The Auth Token before its last rotation, still believed',
      hidden: true,
    }),
    apiUrl: optional(httpUrl(), {
      description: "Where Plivo's REST API is for this account",
      defaultText: 'plivo.apiUrl',
    }),
  });
