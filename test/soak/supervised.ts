import { setTimeout as sleep } from 'node:timers/promises';
import { startLethe, type LetheProcess, type PROGRAMS } from '../support/lethe-process.ts';

/** One life of a process. */
export interface Life {
  readonly startedAt: number;
  readonly endedAt: number;
  /** Whether the soak ended it. */
  readonly wasAsked: boolean;
  readonly status: number | null;
  readonly output: string;
}

const RESTART_PAUSE_MS = 200;
const TOOK_WORK = 'took work from the queue';

/** A process of Lethe that is started again whenever it ends, as a supervisor does. */
export class Supervised {
  readonly name: string;
  readonly lives: Life[] = [];
  private readonly program: keyof typeof PROGRAMS;
  private readonly env: Readonly<Record<string, string>>;
  private running: LetheProcess | undefined;
  private isStopping = false;
  private wasAsked = false;
  private readonly loop: Promise<void>;

  constructor(name: string, program: keyof typeof PROGRAMS, env: Readonly<Record<string, string>>) {
    this.name = name;
    this.program = program;
    this.env = env;
    this.loop = this.supervise();
  }

  /** How many jobs of the queue it has taken in its present life. */
  get jobsTaken(): number {
    return (this.running?.output().split(TOOK_WORK).length ?? 1) - 1;
  }

  /** kill -9, or SIGTERM as at an upgrade; it comes back. */
  end(signal: 'SIGKILL' | 'SIGTERM'): void {
    if (this.isStopping) return;
    this.wasAsked = true;
    this.running?.child.kill(signal);
  }

  /** Stops it in order, for good. */
  async stop(): Promise<void> {
    this.isStopping = true;
    this.wasAsked = true;
    this.running?.child.kill('SIGTERM');
    await this.loop;
  }

  private async supervise(): Promise<void> {
    while (!this.isStopping) {
      this.wasAsked = false;
      const startedAt = Date.now();
      const life = startLethe(this.program, this.env, { root: process.cwd(), cwd: process.cwd() });
      this.running = life;
      const status = await life.ended();
      const { wasAsked } = this;
      this.lives.push({ startedAt, endedAt: Date.now(), wasAsked, status, output: life.output() });
      await sleep(RESTART_PAUSE_MS);
    }
  }
}
