// Takes a data directory when told, says what came of it, and keeps it until it is killed.
import { once } from 'node:events';
import { DataLock } from '../../dist/src/hangup/data-lock.js';

process.stdout.write('ready\n');
await once(process.stdin, 'data');
try {
  const lock = await DataLock.take(process.argv[2], { admin: String(process.pid) });
  process.stdout.write(lock instanceof DataLock ? 'won\n' : `${JSON.stringify(lock)}\n`);
} catch (thrown) {
  process.stdout.write(thrown.code === 'DATA_LOCKED' ? 'refused\n' : `${thrown}\n`);
}
setInterval(() => {}, 1_000);
