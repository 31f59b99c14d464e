/** The entry of a generator thread. */
import { parentPort, workerData } from 'node:worker_threads';
import { Generator } from './generator.js';
import type { GeneratorOptions, GeneratorOrder } from './messages.js';

const port = parentPort;
if (port === null) throw new Error('to be run as a worker thread');
const generator = new Generator(workerData as GeneratorOptions, (notice) => {
  port.postMessage(notice);
});
port.on('message', (order: GeneratorOrder) => {
  generator.take(order);
  if (order.type === 'stop') port.close();
});
