import { jobOperations } from './job-operations.ts';
import type { Operation } from './operation.ts';
import type { OperationId } from './options.ts';
import { projectOperations } from './project-operations.ts';
import { sessionOperations } from './session-operations.ts';
import { userOperations } from './user-operations.ts';

/** The 13 operations. */
export const OPERATIONS: Readonly<Record<OperationId, Operation>> = {
  ...projectOperations,
  ...userOperations,
  ...sessionOperations,
  ...jobOperations,
};
