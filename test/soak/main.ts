import { writeFile } from 'node:fs/promises';
import { withEnvironment } from './environment.ts';
import { readOptions } from './options.ts';
import { say, soak, type Findings } from './soak.ts';

/**
 * `npm run soak`: thousands of erasures by an API and two workers, all real processes, while they are killed, Redis and
 * Postgres go away and come back, and OpenReplay fails in every way it can. Ends with 0 only when every check holds.
 */
const LINES_A_CHECK = 30;

const options = readOptions(process.argv.slice(2));
say(
  `seed ${options.seed}: ${options.erasures} subjects, ${options.minutes} minutes, queue on ${options.queue}`,
);
try {
  const findings = await withEnvironment(options, (environment) => soak(options, environment));
  const failed = tell(findings);
  if (options.outputFile !== undefined)
    await writeSummary(options.outputFile, findings.size - failed, failed);
  process.exit(failed === 0 ? 0 : 1);
} catch (error) {
  process.stdout.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.stdout.write(`the soak could not be done; --seed ${options.seed}\n`);
  process.exit(1);
}

/** Prints each fault in a line of its own; answers how many checks failed. */
function tell(found: Findings): number {
  let failures = 0;
  for (const [check, faults] of found) {
    process.stdout.write(`${faults.length === 0 ? 'holds ' : 'FAILED'}  ${check}\n`);
    for (const fault of faults.slice(0, LINES_A_CHECK))
      process.stdout.write(`        ${fault.replaceAll('\n', ' ')}\n`);
    if (faults.length > LINES_A_CHECK)
      process.stdout.write(`        and ${faults.length - LINES_A_CHECK} more\n`);
    failures += faults.length === 0 ? 0 : 1;
  }
  process.stdout.write(`${found.size - failures} passed, ${failures} failed; --seed ${options.seed}\n`);
  return failures;
}

async function writeSummary(file: string, passed: number, failures: number): Promise<void> {
  const summary = { numPassedTests: passed, numFailedTests: failures };
  await writeFile(file, JSON.stringify({ ...summary, numRuntimeErrorTestSuites: 0, numPendingTests: 0 }));
}
