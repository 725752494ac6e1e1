import type { Command } from 'commander';
import { addApiOptions } from './api-address.ts';
import type { Shell } from './command.ts';
import { addRegister } from './report-register.ts';
import { addSummary } from './report-summary.ts';

/** `lethe report`: what came in and what became of it. */
export function addReport(program: Command, shell: Shell): void {
  const group = addApiOptions(program.command('report').description('the register of requests, and numbers'));
  addRegister(group, shell);
  addSummary(group, shell);
}
