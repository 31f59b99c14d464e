import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { LogFormat, Privacy } from '../src/config/types.js';
import { maskNumber, openLog } from '../src/log.js';
import { folderWith } from './config/configured.js';

function opened(format: LogFormat, privacy: Privacy = 'masked') {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  return { log: openLog({ level: 'info', format, privacy }, { write }), lines };
}

/** What is logged, without time. */
function json(lines: readonly string[]): unknown[] {
  return lines.map((line) => {
    const { time: _, ...rest } = JSON.parse(line) as Record<string, unknown>;
    return rest;
  });
}

describe('the log', () => {
  it('writes JSON with level names, ISO time and the fields of a call', () => {
    const { log, lines } = opened('json');
    log.child({ callId: 'c-1' }).info({ route: 'echo' }, 'call started');
    expect(json(lines)).toEqual([
      { level: 'info', callId: 'c-1', route: 'echo', msg: 'call started' },
    ]);
    expect(lines[0]).toMatch(/"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"/);
    expect(lines[0]).toMatch(/^[^\n]*\n$/);
  });

  it('is JSON by itself when the output is no terminal', () => {
    const { log, lines } = opened('auto');
    log.info('x');
    expect(json(lines)).toEqual([{ level: 'info', msg: 'x' }]);
  });

  it('leaves out what is below its level', () => {
    const { log, lines } = opened('json');
    log.debug('x');
    expect(lines).toEqual([]);
  });

  it('masks the fields that are phone numbers, and never shows digits or secrets', () => {
    const { log, lines } = opened('json');
    const call = log.child({ from: '+15551234567', authToken: 'hunter2' });
    const headers = { authorization: 'hunter2', Authorization: 'hunter2' };
    call.info({ to: 'sip:bob@a.b', request: { headers, list: [{ password: 'hunter2' }] } });
    call.info({
      digit: '7',
      digits: '7',
      dtmf: '7',
      a: { b: { c: [{ d: { token: ['hunter2'] } }] } },
    });
    call.info({ accessToken: 'hunter2', 'Proxy-Authorization': 'hunter2', apiKey: 'hunter2' });
    const cause = Object.assign(new Error('refused'), { request: { headers } });
    call.error({ err: cause }, 'failed');
    expect(lines.join('')).not.toMatch(/hunter2|5551234|bob|"7"/);
    expect(json(lines)[0]).toMatchObject({
      from: '+15*******67',
      to: 'sip:***@a.b',
      authToken: '[secret]',
    });
  });

  it('leaves a message alone that only speaks of secrets', () => {
    const { log, lines } = opened('json');
    log.info({ tokens: 3 }, 'the "token": "x" of it');
    expect(json(lines)).toEqual([{ level: 'info', tokens: 3, msg: 'the "token": "x" of it' }]);
  });

  it('shows phone numbers when privacy is full, but still no digits and no secrets', () => {
    const { log, lines } = opened('json', 'full');
    log.info({ from: '+15551234567', digit: '7', password: 'x' }, 'call started');
    expect(json(lines)).toEqual([
      {
        level: 'info',
        from: '+15551234567',
        digit: '[secret]',
        password: '[secret]',
        msg: 'call started',
      },
    ]);
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['a text', { text: 'é'.repeat(50_000) }, 'm'],
    ['a message', {}, '\u0000'.repeat(50_000)],
    ['a list', { list: Array(5_000).fill('a') }, 'm'],
    ['an error', { err: new Error('x'.repeat(50_000)) }, 'm'],
    ['a name', { ['k'.repeat(50_000)]: 1 }, 'm'],
  ])('cuts a line to what a pipe takes at once when %s is too long', (_, fields, message) => {
    const { log, lines } = opened('json');
    log.child({ callId: 'c-1' }).info(fields, message);
    expect(Buffer.byteLength(lines[0]!)).toBeLessThanOrEqual(4_096);
    expect(JSON.parse(lines[0]!)).toMatchObject({ level: 'info', callId: 'c-1' });
  });
});

describe('the readable log', () => {
  it('has one line with time, level, message and fields', () => {
    const { log, lines } = opened('pretty');
    log
      .child({ callId: 'c-1' })
      .info({ route: 'echo', ms: 5, note: 'a b', x: { y: 1 } }, 'call started');
    log.warn('no credentials');
    expect(lines[0]).toMatch(
      /^\d\d:\d\d:\d\d INFO {2}call started {2}callId=c-1 route=echo ms=5 note="a b" x=\{"y":1\}\n$/,
    );
    expect(lines[1]).toMatch(/^\d\d:\d\d:\d\d WARN {2}no credentials\n$/);
  });

  it('has the stack of an error on lines of its own', () => {
    const { log, lines } = opened('pretty');
    log.error({ err: new TypeError('no such thing') }, 'handler failed');
    expect(lines[0]).toMatch(/^\S+ ERROR handler failed {2}error="no such thing"\n( {4}at .+\n)+$/);
  });

  it('shows the message of a bare error once', () => {
    const { log, lines } = opened('pretty');
    log.error(new Error('broken'));
    expect(lines[0]).toMatch(/^\S+ ERROR broken\n {4}at /);
  });

  it('lets no text from a peer move the cursor or break the line', () => {
    const { log, lines } = opened('pretty');
    const text = 'a\u001b[2Jb\nc\u202ed\u009be';
    log.info({ text, [text]: 1 }, text);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
    expect(lines[0]!.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
  });
});

describe('a masked phone number', () => {
  it.each([
    ['+15551234567', '+15*******67'],
    ['15551234567', '155******67'],
    ['+1 (555) 123-4567', '+15*******67'],
    ['5551234', '*******'],
    ['1001', '****'],
    ['sip:+15551234567@phone.plivo.com', 'sip:+15*******67@phone.plivo.com'],
    ['sip:alice@phone.plivo.com', 'sip:***@phone.plivo.com'],
    ['sips:1001@10.0.0.1:5061;user=phone?a=b', 'sips:****@10.0.0.1:5061'],
    ['SIP:alice', 'SIP:***'],
    ['tel:+15551234567', 'tel:+15*******67'],
    ['anonymous', 'anonymous'],
    ['sip:anonymous@anonymous.invalid', 'sip:anonymous@anonymous.invalid'],
    ['Restricted', 'Restricted'],
    ['Alice Example', '***'],
    ['', ''],
    [undefined, ''],
  ])('%s is %s', (number, masked) => {
    expect(maskNumber(number, 'masked')).toBe(masked);
    expect(maskNumber(masked, 'masked')).toBe(masked);
    expect(maskNumber(number, 'full')).toBe(number ?? '');
  });
});

describe('threads', () => {
  it('share standard output without tearing a line', async () => {
    const module = new URL('../dist/src/log.js', import.meta.url).href;
    const script = `
      import { Worker, isMainThread, threadId } from 'node:worker_threads';
      import { openLog } from '${module}';
      const options = { level: 'info', format: 'json', privacy: 'masked' };
      const log = openLog(options).child({ callId: threadId });
      if (isMainThread) for (let i = 0; i < 3; i += 1) new Worker(new URL(import.meta.url));
      for (let i = 0; i < 300; i += 1) log.info({ list: Array(i * 2).fill('0123456789') }, 'm');
    `;
    const folder = folderWith({ 'main.mjs': script });
    // A pipe that fills up: Node itself would connect the child by a socket.
    const pipeline = '"$0" "$1" | (sleep 0.2; cat)';
    const child = spawn('sh', ['-c', pipeline, process.execPath, join(folder, 'main.mjs')]);
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => {
      errors += chunk;
    });
    await once(child, 'close');
    expect(errors).toBe('');
    const lines = Buffer.concat(chunks).toString().trimEnd().split('\n');
    expect(lines).toHaveLength(4 * 300);
    const threads = new Set(lines.map((line) => (JSON.parse(line) as { callId: number }).callId));
    expect(threads.size).toBe(4);
  });
});
