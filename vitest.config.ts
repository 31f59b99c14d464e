import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // Most of them wait for sockets and clocks, so two share even one core well.
    maxWorkers: 2,
    include: ['test/**/*.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 30_000,
  },
});
