import type { Logger } from 'pino';
import { openCore, type Core } from './composition.ts';
import { ConfigError, EXIT_CONFIG, loadConfig, type Config } from './config.ts';
import { createLogger } from './log.ts';

/** What a process runs, and how it is stopped. */
export interface Running {
  stop(): Promise<void>;
}

/** Beyond the configured draining, a stop gets this long before the process ends itself. */
const STOP_MARGIN_MS = 10_000;

/**
 * The life of a process: configuration first (status 78 with every mistake, before anything is opened), then the
 * parts, then `start`; SIGTERM and SIGINT stop it gracefully, also while it still starts; a start that fails leaves
 * nothing running; an error that nobody handles ends it with a log line.
 */
export async function runProcess(role: string, start: (core: Core) => Promise<Running>): Promise<void> {
  const config = configOrExit();
  const logger = createLogger({ level: config.log.level, name: `lethe-${role}` });
  endOnUnhandled(logger);
  const stopAsked = stopSignal(logger, config.worker.drainMs + STOP_MARGIN_MS);
  let status = 0;
  try {
    const core = await openCore(config, { role, logger });
    try {
      const running = await start(core);
      await stopAsked;
      await running.stop();
    } finally {
      await core.close();
    }
    logger.info('stopped');
  } catch (error) {
    logger.fatal({ err: error }, 'could not start or stop');
    status = 1;
  }
  logger.flush();
  process.exit(status);
}

function configOrExit(): Config {
  try {
    return loadConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(EXIT_CONFIG);
  }
}

function endOnUnhandled(logger: Logger): void {
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      logger.fatal({ err: error }, `${event}: the process ends`);
      process.exit(1);
    });
  }
}

/** Resolves at the first SIGTERM or SIGINT. From then on the process has `limitMs` to end in order. */
function stopSignal(logger: Logger, limitMs: number): Promise<void> {
  return new Promise((resolve) => {
    let stopping = false;
    const stop = (signal: string) => {
      if (stopping) return;
      stopping = true;
      logger.info({ signal }, 'stopping');
      setTimeout(() => {
        logger.error('did not stop in time; ending');
        process.exit(1);
      }, limitMs).unref();
      resolve();
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
  });
}
