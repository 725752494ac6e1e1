import pino from 'pino';

/** Fields that could carry a secret or a person, wherever they turn up in a log line. */
const REDACTED = ['authorization', 'cookie', 'token', 'apiKey', 'userId', 'email', 'subject', 'body', 'url'];

/**
 * The log: one JSON object a line; readable text when a terminal reads it. Errors are written with type, code and
 * stack; a cause's message may quote a statement but never its parameters.
 *
 * @param options.stream in place of standard output, for commands that write something else there
 */
export function createLogger(options: {
  level: string;
  name: string;
  stream?: pino.DestinationStream;
}): pino.Logger {
  const pretty = process.stdout.isTTY && options.stream === undefined;
  const settings: pino.LoggerOptions = {
    name: options.name,
    level: options.level,
    redact: {
      paths: REDACTED.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]),
      censor: '[redacted]',
    },
    ...(pretty && { transport: { target: 'pino-pretty', options: { ignore: 'pid,hostname,name' } } }),
  };
  return options.stream === undefined ? pino(settings) : pino(settings, options.stream);
}
