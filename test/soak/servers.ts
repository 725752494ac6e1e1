import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import {
  startEmbeddedPostgres,
  stopEmbeddedPostgres,
  type EmbeddedPostgres,
} from '../../src/embedded/start-embedded-postgres.ts';
import { startRedisServer, type RedisServer as RunningRedis } from '../support/redis-server.js';
import { report, type Command, type Report } from './openreplay-messages.ts';

/** A Postgres of the soak's own, which writes through to disk as it does in production. */
export class PostgresServer {
  readonly directory: string;
  /** From when to when it was away; epoch ms. */
  readonly absences: [number, number][] = [];
  private running: EmbeddedPostgres;

  private constructor(directory: string, running: EmbeddedPostgres) {
    this.directory = directory;
    this.running = running;
  }

  static async start(folder: string): Promise<PostgresServer> {
    const directory = path.join(folder, 'data');
    return new PostgresServer(directory, await startEmbeddedPostgres({ directory }));
  }

  /** The same before and after a restart. */
  get url(): string {
    return this.running.connectionString;
  }

  /** Ended in order, or with an immediate shutdown that recovery follows, and started again on the same data and port. */
  async restart(how: 'fast' | 'immediate', awayMs: number): Promise<void> {
    const { url } = this;
    const absence: [number, number] = [Date.now(), Infinity];
    this.absences.push(absence);
    if (how === 'immediate') process.kill(this.running.pid, 'SIGQUIT');
    await stopEmbeddedPostgres(this.directory);
    await sleep(awayMs);
    this.running = await startEmbeddedPostgres({ directory: this.directory });
    absence[1] = Date.now();
    if (this.url !== url) throw new Error('Postgres came back on another port');
  }

  async readLog(): Promise<string> {
    return readFile(path.join(this.directory, 'postgres.log'), 'utf8');
  }

  async stop(): Promise<void> {
    await this.running.stop();
    await stopEmbeddedPostgres(this.directory);
  }
}

/** A Redis that comes back with nothing in it. */
export class RedisServer {
  private running: RunningRedis;
  private readonly folder: string;
  private starts = 1;
  private isStopped = false;

  private constructor(folder: string, running: RunningRedis) {
    this.folder = folder;
    this.running = running;
  }

  static async start(folder: string): Promise<RedisServer> {
    return new RedisServer(folder, await startRedisServer({ directory: path.join(folder, 'redis-1') }));
  }

  get url(): string {
    return this.running.url;
  }

  /** kill -9, away for a time, and back on the same port without its data. */
  async restart(awayMs: number): Promise<void> {
    await this.running.kill();
    await sleep(awayMs);
    if (this.isStopped) return;
    this.starts += 1;
    const directory = path.join(this.folder, `redis-${this.starts}`);
    this.running = await startRedisServer({ directory, port: this.running.port });
  }

  /** Takes connections and answers nothing for a time, as a machine does that swaps. */
  async freeze(ms: number): Promise<void> {
    process.kill(this.running.pid, 'SIGSTOP');
    await sleep(ms);
    process.kill(this.running.pid, 'SIGCONT');
  }

  /** Everything that was ever written to it: its append-only files. */
  async readHistory(): Promise<string> {
    const texts: string[] = [];
    for (let start = 1; start <= this.starts; start += 1) {
      const directory = path.join(this.folder, `redis-${start}`, 'appendonlydir');
      for (const file of await readdir(directory))
        texts.push(await readFile(path.join(directory, file), 'latin1'));
    }
    return texts.join('\n');
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    await this.running.kill();
  }
}

/** The process of the soak's OpenReplay. */
export class OpenReplayServer {
  readonly url: string;
  private readonly child: ChildProcess;

  private constructor(url: string, child: ChildProcess) {
    this.url = url;
    this.child = child;
  }

  static async start(world: { seed: number; erasures: number }): Promise<OpenReplayServer> {
    const program = path.join(path.dirname(process.argv[1] ?? ''), 'openreplay.js');
    const child = fork(program, [String(world.seed), String(world.erasures)]);
    const started: unknown[] = await once(child, 'message');
    return new OpenReplayServer(z.object({ url: z.string() }).parse(started[0]).url, child);
  }

  set(faults: Extract<Command, { kind: 'faults' }>['faults']): void {
    this.send({ kind: 'faults', faults });
  }

  /** What it says is left, and was asked; with the logs of these users. */
  async report(logsOf: readonly string[]): Promise<Report> {
    const answered = once(this.child, 'message');
    this.send({ kind: 'report', logsOf: [...logsOf] });
    const answer: unknown[] = await answered;
    return report.parse(answer[0]);
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.disconnect();
    await ended;
  }

  private send(message: Command): void {
    this.child.send(message);
  }
}
