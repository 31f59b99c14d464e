import { isatty } from 'node:tty';
import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from 'pino';
import pinoPretty from 'pino-pretty';
import { wantsColor } from './config/environment.js';
import type { LogConfig, Privacy } from './config/types.js';

export type Log = Logger;

export interface LogOptions extends LogConfig {
  readonly privacy: Privacy;
}

const standardOutput = 1;

/**
 * Names whose values are never written, at any depth. DTMF digits are card numbers and PINs, so they
 * are among them whatever `privacy` says.
 */
const secretNames = '(?:[\\w-]*(?:token|password|secret|authorization|api[-_]?key)|dtmf|digits?)';
const secretName = new RegExp(`^${secretNames}$`, 'i');
/** Quotes inside a text are escaped in JSON, so only names match. */
const secretMember = new RegExp(`"${secretNames}":`, 'i');

/** What a pipe takes at once without mixing it with another writer's bytes (POSIX PIPE_BUF). */
const lineBytesMax = 4_096;

/**
 * The root log of a thread; `log.child({ callId })` for a call. The main thread and every worker
 * write straight to standard output, each line in one write, so that lines are whole and in order.
 * The fields `from`, `to` and `number` are phone numbers, and are masked unless privacy is full.
 */
export function openLog(options: LogOptions, output?: DestinationStream): Log {
  const terminal = output === undefined && isatty(standardOutput);
  const pretty = options.format === 'pretty' || (options.format === 'auto' && terminal);
  const lines = output ?? destination({ fd: standardOutput, sync: true });
  const number = (value: unknown) => maskValue(value, options.privacy);
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { from: number, to: number, number },
      // Not pino's `redact`: with so many names and depths a line took 56 µs; this way it takes 5.
      hooks: { streamWrite: (line) => shortened(censored(line)) },
    },
    pretty ? prettyLines(lines, terminal && wantsColor()) : lines,
  );
}

function censored(line: string): string {
  if (!secretMember.test(line)) return line;
  const censor = (name: string, value: unknown) => (secretName.test(name) ? '[secret]' : value);
  return `${JSON.stringify(JSON.parse(line), censor)}\n`;
}

/** A line as it is, or with its long texts cut so far that one write takes it whole. */
function shortened(line: string): string {
  let short = line;
  for (let charsMax = 800; Buffer.byteLength(short) > lineBytesMax; charsMax /= 2) {
    if (charsMax < 100) return onlyTheMessage(short);
    const cut = (_key: string, value: unknown) =>
      typeof value === 'string' && value.length > charsMax ? `${value.slice(0, charsMax)}…` : value;
    short = `${JSON.stringify(JSON.parse(line), cut)}\n`;
  }
  return short;
}

function onlyTheMessage(line: string): string {
  const { level, time, callId, msg } = JSON.parse(line) as Record<string, unknown>;
  return `${JSON.stringify({ level, time, callId, msg, shortened: true })}\n`;
}

/** `+15551234567` as `+15*******67`; of a SIP address the user; words such as `anonymous` stay. */
export function maskNumber(number: string | undefined, privacy: Privacy): string {
  if (number === undefined || privacy === 'full') return number ?? '';
  const sip = /^(sips?:|tel:)([^@;?]*)(@[^;?]*)?/i.exec(number);
  if (sip) return `${sip[1]}${maskUser(sip[2] ?? '')}${sip[3] ?? ''}`;
  return maskUser(number);
}

/** Shorter ones are extensions: what stays would give them away. */
const maskedCharsMin = 8;

function maskUser(user: string): string {
  if (/^(anonymous|unknown|restricted|private|unavailable|)$/i.test(user)) return user;
  if (/^[+\d]{0,3}\*+\d{0,2}$/.test(user)) return user; // masked before
  const digits = user.replace(/[\s().-]/g, '');
  if (!/^\+?\d+$/.test(digits)) return '***';
  if (digits.length < maskedCharsMin) return '*'.repeat(digits.length);
  return digits.slice(0, 3) + '*'.repeat(digits.length - 5) + digits.slice(-2);
}

function maskValue(value: unknown, privacy: Privacy): unknown {
  if (Array.isArray(value)) return value.map((item) => maskValue(item, privacy));
  if (typeof value !== 'string' && typeof value !== 'number') return value;
  return maskNumber(String(value), privacy);
}

/** `07:15:25 INFO  call started  callId=… route=…`; an error's stack follows on lines of its own. */
function prettyLines(output: DestinationStream, colorize: boolean): DestinationStream {
  const format = pinoPretty.prettyFactory({
    colorize,
    customColors: 'message:reset',
    // The line is made here as a whole: pino-pretty puts a colon after the level and braces around
    // the fields.
    ignore: 'time,level',
    hideObject: true,
    messageFormat: (log, _key, _label, { colors }) => {
      const { time, level, msg, err, ...fields } = log as Record<string, unknown>;
      const label = String(level).toUpperCase().padEnd(5);
      const head = `${clock(time)} ${colorOf(label, colors)(label)} ${visible(String(msg ?? ''))}`;
      const error = asError(err);
      const named = error?.message === msg ? undefined : error?.message;
      const shown = Object.entries(named ? { ...fields, error: named } : fields);
      const tail = shown.map(([key, value]) => `${colors.gray(`${visible(key)}=`)}${plain(value)}`);
      const line = tail.length === 0 ? head : `${head}  ${tail.join(' ')}`;
      return error?.stack ? `${line}\n${indented(error.stack)}` : line;
    },
  });
  return { write: (line) => output.write(format(line)) };
}

type Colors = Parameters<pinoPretty.MessageFormatFunc>[3]['colors'];

function colorOf(label: string, colors: Colors): (text: string) => string {
  if (label.startsWith('FATAL') || label.startsWith('ERROR')) return colors.red;
  if (label.startsWith('WARN')) return colors.yellow;
  return label.startsWith('INFO') ? colors.green : colors.gray;
}

function clock(time: unknown): string {
  return new Date(String(time)).toTimeString().slice(0, 8);
}

function asError(value: unknown): { message: string; stack: string } | undefined {
  if (typeof value !== 'object' || value === null || !('message' in value)) return undefined;
  const stack = 'stack' in value && typeof value.stack === 'string' ? value.stack : '';
  return { message: String(value.message), stack };
}

function indented(stack: string): string {
  const frames = stack.split('\n').filter((line) => /^\s+at |^caused by/.test(line));
  return frames.map((line) => `    ${visible(line.trim())}`).join('\n');
}

/** Quoted when it could be misread; anything but texts as JSON. */
function plain(value: unknown): string {
  if (typeof value === 'string' && /^[^\s"=]+$/u.test(value)) return visible(value);
  return visible(JSON.stringify(value) ?? 'undefined');
}

/** Texts come from peers: none may move the cursor, break a line or turn the writing direction. */
function visible(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
