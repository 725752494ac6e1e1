import { runProcess } from './run-process.ts';
import { startApi } from './start-api.ts';

/** The API process. */
await runProcess('api', startApi);
