import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // Most of them wait for sockets and clocks, so two share even one core well.
    maxWorkers: 2,
    include: ['test/**/*.test.ts'],
    // They have real clocks and sockets: a machine that stands still for a moment fails one, what is broken fails twice.
    retry: 1,
    testTimeout: 20_000,
    hookTimeout: 30_000,
  },
});
