import { applyFaults, HELP, readCommandLine, type Command } from './command-line.ts';
import { createSandbox, type Sandbox } from './sandbox.ts';

/** How to try it, with the key in place: it opens nothing but made-up data. */
function greeting(url: string, sandbox: Sandbox, { options }: Extract<Command, { kind: 'run' }>): string {
  const [projectKey = 'PROJECT'] = sandbox.projectKeys();
  const projects = sandbox
    .projectKeys()
    .map(
      (key) =>
        `  ${key}  ${sandbox.userIds(key).length} users, such as ${JSON.stringify(sandbox.userIds(key)[0] ?? '')}`,
    );
  const user = encodeURIComponent(sandbox.projectKeys().flatMap((key) => sandbox.userIds(key))[0] ?? 'USER');
  const curl = `curl -H 'Authorization: Bearer ${options.token}'`;
  return [
    `OpenReplay sandbox (${options.personality}) at ${url}`,
    `API key: ${options.token}`,
    `A day lasts ${(options.dayMs ?? 0) / 1000} s here; jobs run shortly after its midnight.`,
    ...(options.jobDelayMs === undefined
      ? []
      : [`Jobs do not wait for it: they run after ${options.jobDelayMs} ms.`]),
    'Projects:',
    ...projects,
    'Try:',
    `  ${curl} ${url}/public/projects`,
    `  ${curl} '${url}/public/${projectKey}/users/${user}'`,
    `  ${curl} -X DELETE '${url}/public/${projectKey}/users/${user}'`,
    `  ${curl} ${url}/public/${projectKey}/jobs`,
    '',
  ].join('\n');
}

async function run(command: Extract<Command, { kind: 'run' }>): Promise<void> {
  const sandbox = createSandbox(command.options);
  applyFaults(sandbox.faults, command.faults);
  const url = await sandbox.start(command.port);
  process.stdout.write(greeting(url, sandbox, command));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void sandbox.stop());
}

try {
  const command = readCommandLine(process.argv.slice(2), process.env);
  if (command.kind === 'help') process.stdout.write(HELP);
  else await run(command);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\nSee --help.\n`);
  process.exitCode = 2;
}
