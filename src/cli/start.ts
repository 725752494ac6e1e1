import { startWorkerOf } from '../../workers/start-worker-of.ts';
import { runProcess } from '../run-process.ts';
import { startApi } from '../start-api.ts';

/** API and workers in one process: what `npm start` runs. */
await runProcess('all', async (core) => {
  const worker = await startWorkerOf(core);
  const api = await startApi(core).catch(async (error: unknown) => {
    await worker.stop();
    throw error;
  });
  return {
    stop: async () => {
      await api.stop();
      await worker.stop();
    },
  };
});
