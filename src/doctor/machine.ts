import { readFileSync } from 'node:fs';
import type { GatewayConfig } from '../config/types.js';
import { errorText } from '../errors.js';
import { loadNative } from '../front/native.js';
import { type Finding, fail, ok, warn } from './check.js';

/** Descriptors that are not sockets of calls: files, pipes, listeners, connections to Plivo's API. */
const descriptorsSpare = 200;

/** What the machine has to have. */
export async function machineFindings(config: GatewayConfig): Promise<Finding[]> {
  return [await engine(), libc(), descriptors(config)];
}

async function engine(): Promise<Finding> {
  const what = 'Node';
  const about = `${process.version}, ABI ${process.versions.modules}, ${process.platform} ${process.arch}`;
  try {
    await loadNative();
    return ok(what, about);
  } catch (thrown) {
    return fail(what, about, errorText(thrown));
  }
}

function libc(): Finding {
  const what = 'C library';
  if (process.platform !== 'linux') return ok(what, `that of ${process.platform}`);
  const report = process.report?.getReport() as
    | { readonly header?: { readonly glibcVersionRuntime?: string } }
    | undefined;
  const version = report?.header?.glibcVersionRuntime;
  if (version !== undefined) return ok(what, `glibc ${version}`);
  return fail(what, 'not glibc', 'run on a Linux with glibc, as Debian or Ubuntu; not on Alpine');
}

/** A call is a socket, or two with an application behind the gateway. */
function descriptors({ limits, upstreams }: GatewayConfig): Finding {
  const what = 'open files';
  const needed = limits.calls * (upstreams.length > 0 ? 2 : 1) + descriptorsSpare;
  const limit = descriptorLimit();
  if (limit === undefined) return warn(what, 'the limit is not known here', `let it be ${needed}`);
  const about = `limit ${limit === Number.POSITIVE_INFINITY ? 'none' : limit}, ${limits.calls} calls need ${needed}`;
  if (limit >= needed) return ok(what, about);
  return fail(
    what,
    about,
    `raise it (ulimit -n ${needed}, or LimitNOFILE=${needed}), or lower limits.calls`,
  );
}

function descriptorLimit(): number | undefined {
  try {
    const [, soft] =
      /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    if (soft === undefined) return undefined;
    return soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return undefined;
  }
}
