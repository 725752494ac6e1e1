import path from 'node:path';
import TestSequencer from '@jest/test-sequencer';

/** Crash tests before the others on real servers: they take longest, and nothing should wait for them in the end. */
const ORDER = ['unit', 'property', 'contract', 'crash', 'model', 'integration', 'browser'];
/** Of the integration tests, those of half a minute: begun late, one would run on alone. A fresh checkout knows no times. */
const LONG = ['embedded-postgres', 'erasure', 'processes', 'migrate', 'nobody-else', 'by-email'];

/** Fast suites first, so that a plain mistake shows in seconds; within a folder as jest orders them. */
export default class FastFirst extends (TestSequencer.default ?? TestSequencer) {
  sort(tests) {
    return super.sort(tests).toSorted((a, b) => rankOf(a.path) - rankOf(b.path));
  }
}

function rankOf(file) {
  const [folder] = path.relative(path.join(import.meta.dirname, '..'), file).split(path.sep);
  const rank = ORDER.indexOf(folder);
  const isLong = LONG.includes(path.basename(file, '.test.ts'));
  return (rank === -1 ? ORDER.length : rank) - (isLong ? 0.5 : 0);
}
