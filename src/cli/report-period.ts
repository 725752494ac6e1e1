import type { Command } from 'commander';
import { z } from 'zod';
import { isDay } from '../domain/day.ts';

const DAY = 'a day such as 2027-03-31';
const day = z.string(DAY).refine(isDay, DAY).optional();

/** What the options of addPeriod are. */
export const period = z.object({ from: day, to: day });

/** The options that say which requests a report is of. */
export function addPeriod(command: Command): Command {
  return command
    .option('--from <day>', 'received on this day or later (default: a year of months)')
    .option('--to <day>', 'received on this day or earlier (default: today)');
}
