/**
 * Two projects, so that a unit test does not wait for a database: `fast` needs nothing but Node; `ground` starts
 * one Postgres and one Redis for the whole run (test/support/global-setup.js). Fast suites go first, see
 * test/support/sequencer.js. One alone: `npm test -- --selectProjects fast`.
 */
const shared = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2023' }, module: { type: 'es6' } },
    ],
  },
  // The compiled program is run by some tests, never searched for them.
  modulePathIgnorePatterns: ['<rootDir>/dist/'],
};

const testsIn = (...folders) => folders.map((folder) => `<rootDir>/test/${folder}/**/*.test.ts`);

export default {
  maxWorkers: 2,
  testTimeout: 60_000,
  testSequencer: '<rootDir>/test/support/sequencer.js',
  projects: [
    { ...shared, displayName: 'fast', testMatch: testsIn('unit', 'property', 'contract') },
    {
      ...shared,
      displayName: 'ground',
      testMatch: testsIn('integration', 'crash', 'browser'),
      globalSetup: '<rootDir>/test/support/global-setup.js',
      globalTeardown: '<rootDir>/test/support/global-teardown.js',
    },
  ],
};
