import { z } from 'zod';
import { PROBLEMS, type HttpProblem } from './problem.ts';

const fieldError = z.strictObject({
  pointer: z.string().optional().meta({ description: 'JSON Pointer into the body.' }),
  parameter: z.string().optional().meta({ description: 'Query parameter.' }),
  detail: z.string().meta({ description: 'What was expected.' }),
});

export const problemSchema = z
  .looseObject({
    type: z
      .string()
      .regex(/^\/problems\/[a-z-]+$/)
      .meta({ description: 'The code as a URI reference that stays the same; nothing is served under it.' }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z
      .string()
      .regex(/^urn:lethe:request:[A-Za-z0-9._-]{1,64}$/)
      .meta({ description: 'Names this one answer; ends in its `X-Request-Id`.' }),
    code: z
      .string()
      .regex(/^[A-Z_]+$/)
      .meta({ description: 'What programs should look at. Stays the same from version to version.' }),
    errors: z
      .array(fieldError)
      .min(1)
      .max(100)
      .optional()
      .meta({ description: 'The fields that cannot be accepted, at most 100 of them.' }),
  })
  .meta({
    id: 'Problem',
    description: 'RFC 9457 problem details. Texts name fields and rules, never a value that was sent.',
  });
export type ProblemDetails = z.infer<typeof problemSchema>;

/** The problem details of one failure, in the answer to the request with this id. */
export function problemDetails(problem: HttpProblem, requestId: string): ProblemDetails {
  const { status, title } = PROBLEMS[problem.problem];
  return {
    type: `/problems/${problem.code.toLowerCase().replaceAll('_', '-')}`,
    title,
    status,
    detail: problem.message,
    instance: `urn:lethe:request:${requestId}`,
    code: problem.code,
    ...(problem.errors.length > 0 && { errors: [...problem.errors] }),
  };
}
