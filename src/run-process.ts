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
 * parts, then `start`; SIGTERM and SIGINT stop it gracefully; an error that nobody handles ends it with a log line.
 */
export async function runProcess(role: string, start: (core: Core) => Promise<Running>): Promise<void> {
  const config = configOrExit();
  const logger = createLogger({ level: config.log.level, name: `lethe-${role}` });
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      logger.fatal({ err: error }, `${event}: the process ends`);
      process.exit(1);
    });
  }
  try {
    const core = await openCore(config, { role, logger });
    const running = await start(core);
    stopOnSignals({ core, running, logger });
  } catch (error) {
    logger.fatal({ err: error }, 'could not start');
    process.exit(1);
  }
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

function stopOnSignals({ core, running, logger }: { core: Core; running: Running; logger: Logger }): void {
  let stopping = false;
  const stop = (signal: string) => {
    if (stopping) return;
    stopping = true;
    logger.info({ signal }, 'stopping');
    const timer = setTimeout(() => {
      logger.error('did not stop in time; ending');
      process.exit(1);
    }, core.config.worker.drainMs + STOP_MARGIN_MS);
    running
      .stop()
      .then(() => core.close())
      .then(
        () => {
          clearTimeout(timer);
          logger.info('stopped');
          logger.flush();
          process.exit(0);
        },
        (error: unknown) => {
          logger.error({ err: error }, 'stopping failed');
          process.exit(1);
        },
      );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}
