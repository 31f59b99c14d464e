import type * as native from 'uWebSockets.js';
import { prepareNative } from '../config/environment.js';
import { GatewayError } from '../errors.js';

/**
 * Loads uWebSockets.js. It is a prebuilt binary for certain versions of Node, so a wrong one fails here and not
 * somewhere later.
 * @throws GatewayError PLATFORM
 */
export async function loadNative(): Promise<typeof native> {
  prepareNative();
  try {
    const library = (await import('uWebSockets.js')) as typeof native & {
      readonly default?: typeof native;
    };
    // The author's own package has everything on a default export, the repacked one by name.
    return library.App === undefined && library.default !== undefined ? library.default : library;
  } catch (thrown) {
    const { platform, arch, version } = process;
    throw new GatewayError(
      'PLATFORM',
      `uWebSockets.js has no binary for Node ${version} on ${platform}-${arch}; use Node 20.19 or later of 20, or 22.12 or later of 22, on Linux (glibc), macOS or Windows`,
      { cause: thrown },
    );
  }
}
