/**
 * The environment Postgres's programs are started with: none of ours, which holds secrets and may hold PG*
 * variables meant for another database. Windows programs do not start without theirs, so they inherit it.
 */
export function serverEnvironment(): { env?: Record<string, string> } {
  return process.platform === 'win32' ? {} : { env: { LC_ALL: 'C', PATH: '/usr/local/bin:/usr/bin:/bin' } };
}
