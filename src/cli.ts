#!/usr/bin/env node

/**
 * The binary. Looks at the version of Node before anything is loaded that would not even load on a wrong one.
 */
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const isSupported = (major === 20 && minor >= 19) || (major === 22 && minor >= 12);

if (isSupported) {
  const { runProgram } = await import('./program.js');
  await runProgram();
} else {
  process.stderr.write(
    `plivo-gateway runs on Node 20.19 or later of 20, or 22.12 or later of 22; this is ${process.version}\n`,
  );
  process.exitCode = 1;
}

export {};
