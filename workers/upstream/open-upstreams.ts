import { readFileSync } from 'node:fs';
import type { UpstreamConfig } from '../../src/config/types.js';
import type { ShardStart } from '../../src/shard/shard.js';
import { UpstreamBoard } from '../../src/shard/upstream-board.js';
import { AddressBook } from './address-book.js';
import type { UpstreamParts } from './upstream-handler.js';

/**
 * What a shard needs to reach its upstreams, by their names. The WebSocket client is loaded only if there are some: a
 * thread imports nothing but our code before its task begins.
 */
export async function openUpstreams({
  index,
  options,
}: ShardStart): Promise<ReadonlyMap<string, UpstreamParts>> {
  const parts = new Map<string, UpstreamParts>();
  const { upstreams, upstreamBoard } = options;
  if (upstreams.length === 0) return parts;
  const { WebSocket } = await import('ws');
  const { memory, shards } = upstreamBoard;
  const board = new UpstreamBoard(addressCount(upstreams), shards, memory);
  board.forget(index);
  let first = 0;
  for (const upstream of upstreams) {
    const book = new AddressBook(upstream, first, board, index);
    const ca = upstream.caFile === undefined ? undefined : readFileSync(upstream.caFile);
    parts.set(upstream.name, { upstream, book, open: WebSocket, ca });
    first += upstream.addresses.length;
  }
  return parts;
}

function addressCount(upstreams: readonly UpstreamConfig[]): number {
  return upstreams.reduce((sum, { addresses }) => sum + addresses.length, 0);
}
