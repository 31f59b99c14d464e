import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { files } from './files.js';

const folder = join(dirname(createRequire(import.meta.url).resolve('#package.json')), 'grafana');

for (const [path, text] of files()) {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
