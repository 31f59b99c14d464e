// Writes 1,000 intents and prints each one that is written, until it is killed.
import { Journal } from '../../dist/src/hangup/journal.js';
import { openLog } from '../../dist/src/log.js';

const log = openLog({ level: 'silent', format: 'json', privacy: 'masked' });
const journal = await Journal.open(process.argv[2], {
  fsync: 'never',
  log,
  segmentBytesMax: 20_000,
});
for (let i = 0; i < 1_000; i += 1) {
  const callId = `call-${i}`;
  const facts = { callId, accountId: 'MAXXXX', route: 'main', reason: 'app-end' };
  const intent = { ...facts, speculative: false, requestedAt: i, notBefore: i };
  journal.append({ type: 'hangup', intent });
  void journal.written().then(() => process.stdout.write(`${callId}\n`));
  if (i % 7 === 0) await journal.written();
}
await journal.written();
process.stdout.write('end\n');
setInterval(() => {}, 1_000);
