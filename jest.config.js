/**
 * Four projects. `fast` needs nothing but Node, so that a unit test does not wait for a database; `ground` starts one
 * Postgres and one Redis for the whole run (test/support/global-setup.js); `slow` has the suites that start whole
 * processes and databases of their own or wait for a server's moods; `soak` those whose long form is
 * `npm run test:long`, on the same ground (docs/decisions/0006). `npm test` runs all, the fast ones first
 * (test/support/sequencer.js); `npm run verify`, before each commit, leaves out `slow` and `soak`. One alone: `npm test -- --selectProjects fast`.
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

const onGround = {
  ...shared,
  globalSetup: '<rootDir>/test/support/global-setup.js',
  globalTeardown: '<rootDir>/test/support/global-teardown.js',
};
const integration = (...names) => names.map((name) => `<rootDir>/test/integration/${name}.test.ts`);
const SOAKS = [...integration('nobody-else'), ...testsIn('crash', 'model')];
const SLOW = integration(
  ...[
    'embedded-postgres',
    'embedded-reaper',
    'processes',
    'migrate',
    'migrating-logins',
    'dump-schema',
    'image',
  ],
  ...['cli', 'cli-doctor', 'cli-drill', 'cli-openreplay', 'keys'],
  ...[
    'access-packages',
    'audit-log',
    'by-email',
    'connection-mood',
    'live-subject',
    'replay',
    'sentinel',
    'register-in-libreoffice',
    'webhook-fuzz',
  ],
);

export default {
  maxWorkers: 2,
  // A process that has run twenty suites takes longer to end than the half second jest gives it, and jest then speaks of
  // leaks where there are none. A new one takes its place before that.
  workerIdleMemoryLimit: '400MB',
  testTimeout: 60_000,
  testSequencer: '<rootDir>/test/support/sequencer.js',
  projects: [
    { ...shared, displayName: 'fast', testMatch: testsIn('unit', 'property', 'contract') },
    {
      ...onGround,
      displayName: 'ground',
      testMatch: testsIn('integration', 'browser'),
      testPathIgnorePatterns: ['/node_modules/', ...[...SOAKS, ...SLOW].filter((one) => !one.includes('*'))],
    },
    { ...onGround, displayName: 'slow', testMatch: SLOW },
    { ...onGround, displayName: 'soak', testMatch: SOAKS },
  ],
};
