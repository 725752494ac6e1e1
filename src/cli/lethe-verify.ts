#!/usr/bin/env node
import { runVerify } from './verify.ts';

/** The command `lethe-verify`, for those who have nothing of Lethe but this file. */
process.exitCode = runVerify(process.argv.slice(2), {
  write: (text) => process.stdout.write(text),
  complain: (text) => process.stderr.write(text),
});
