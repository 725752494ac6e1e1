import { runProcess } from '../src/run-process.ts';
import { startWorkerOf } from './start-worker-of.ts';

/** The worker process. */
await runProcess('worker', startWorkerOf);
