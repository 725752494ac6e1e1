import pino from 'pino';

/** Fields that could carry a secret or a person, wherever they turn up in a log line. */
const REDACTED = ['authorization', 'cookie', 'token', 'apiKey', 'userId', 'email', 'subject', 'body', 'url'];

/**
 * The log: one JSON object a line; readable text when a terminal reads it. Errors are written with type, code and
 * stack; a cause's message may quote a statement but never its parameters.
 */
export function createLogger(options: { level: string; name: string }): pino.Logger {
  const pretty = process.stdout.isTTY;
  return pino({
    name: options.name,
    level: options.level,
    redact: {
      paths: REDACTED.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]),
      censor: '[redacted]',
    },
    ...(pretty && { transport: { target: 'pino-pretty', options: { ignore: 'pid,hostname,name' } } }),
  });
}
