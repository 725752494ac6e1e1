import { processIo } from './io.ts';
import { run } from './run.ts';

/** `lethe keys`, under the name that deployments have called it by since before there was `lethe`. */
process.exitCode = await run(['keys', ...process.argv.slice(2)], processIo());
