import { describe, expect, it } from '@jest/globals';
import { applyFaults, HELP, readCommandLine } from '../../src/sandbox/command-line.ts';
import { CALL_FAULTS, JOB_FAULTS, noFaults } from '../../src/sandbox/faults.ts';
import { createSandbox } from '../../src/sandbox/sandbox.ts';

describe('the command line of the sandbox', () => {
  it('has defaults', () => {
    expect(readCommandLine([], {})).toEqual({
      ...{ kind: 'run', port: 4010, faults: [] },
      options: {
        ...{ personality: 'real', token: 'sandbox-key', host: '127.0.0.1', dayMs: 300_000 },
        ...{ projects: 2, users: 25, seed: 1 },
      },
    });
  });

  it('reads flags before the environment', () => {
    const args = [
      '--port',
      '0',
      '--day',
      '10s',
      '--job-delay=250',
      '--fault',
      'hangJobs=0.5',
      '--fault',
      'missedRuns=2',
    ];
    const environment = {
      SANDBOX_PORT: '9',
      SANDBOX_TOKEN: 'k',
      SANDBOX_EDITION: 'enterprise',
      SANDBOX_USERS: '',
    };
    expect(readCommandLine(args, environment)).toMatchObject({
      port: 0,
      options: { dayMs: 10_000, jobDelayMs: 250, token: 'k', edition: 'enterprise', users: 25 },
      faults: [
        { name: 'hangJobs', operationId: undefined, rate: 0.5 },
        { name: 'missedRuns', rate: 2 },
      ],
    });
    expect(readCommandLine([], { SANDBOX_FAULT: 'slow=1,errors500:getJob=0.1' })).toMatchObject({
      faults: [{ name: 'slow' }, { name: 'errors500', operationId: 'getJob' }],
    });
  });

  it.each([
    [['--day', '10 parsecs'], '--day'],
    [['--day', '0'], '--day'],
    [['--port', '70000'], '--port'],
    [['--personality', 'nice'], '--personality'],
    [['--fault', 'errors500=2'], '--fault'],
    [['--fault', 'gremlins=1'], '--fault'],
    [['--fault', 'errors500:getGremlin=1'], '--fault'],
    [['--unknown'], '--unknown'],
  ])('refuses %j', (args, named) => {
    expect(() => readCommandLine(args, {})).toThrow(named);
  });

  it('explains every flag and every fault', () => {
    expect(readCommandLine(['--help', '--port', 'x'], {})).toEqual({ kind: 'help' });
    for (const name of [...CALL_FAULTS.filter((fault) => fault !== 'none'), ...JOB_FAULTS])
      expect(HELP).toContain(name);
  });

  it('puts faults into force, for all operations or for one', () => {
    const faults = noFaults();
    applyFaults(faults, [
      { name: 'slow', operationId: undefined, rate: 0.5 },
      { name: 'errors500', operationId: 'getJob', rate: 0.1 },
      { name: 'errors500', operationId: 'listJobs', rate: 0.2 },
      { name: 'hangJobs', operationId: undefined, rate: 0.3 },
      { name: 'missedRuns', operationId: undefined, rate: 3 },
    ]);
    const changed = { slow: 0.5, errors500: { getJob: 0.1, listJobs: 0.2 }, hangJobs: 0.3, missedRuns: 3 };
    expect(faults).toEqual({ ...noFaults(), ...changed });
  });
});

describe('generated people', () => {
  const people = (seed: number) => {
    const options = {
      personality: 'real',
      token: 'key',
      projects: 2,
      users: 40,
      now: () => 1_790_000_000_000,
    } as const;
    const sandbox = createSandbox({ ...options, seed });
    return sandbox.projectKeys().map((key) => {
      const sessions = sandbox
        .userIds(key)
        .map((userId) => [userId, sandbox.sessionCount(key, userId)] as const);
      return [key, sessions] as const;
    });
  };

  it('are the same for the same seed', () => {
    expect(people(7)).toEqual(people(7));
    expect(people(7)).not.toEqual(people(8));
  });

  it('have awkward ids, and one of them more sessions than a job deletes', () => {
    const [[key, users] = ['', []]] = people(1);
    expect(key).toMatch(/^[0-9A-Za-z]{20}$/);
    expect(users).toHaveLength(40);
    expect(users.map(([userId]) => userId)).toEqual(
      expect.arrayContaining(['%2e%2e', ' leading and trailing ']),
    );
    expect(users.filter(([, sessions]) => sessions > 1000)).toHaveLength(1);
  });
});
