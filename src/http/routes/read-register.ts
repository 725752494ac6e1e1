import { z } from 'zod';
import { readRegister } from '../../app/read-register.ts';
import { registerRow } from '../../app/register-row.ts';
import { reportFilter } from '../../app/report-period.ts';
import { registerQuerySchema } from '../query-schemas.ts';
import { REGISTER_TYPES, rendered } from '../../app/register-formats.ts';
import { keyedRoute } from '../route.ts';

const disposition = z
  .string()
  .regex(/^attachment; filename="register-[0-9-]{21}\.(csv|jsonl)"$/)
  .meta({ description: 'A name for the file.' });

/** Hands out the register of requests. */
export const readRequestRegister = keyedRoute({
  method: 'get',
  path: '/v1/reports/register',
  scope: 'reports:read',
  operationId: 'readRegister',
  tag: 'reports',
  summary: 'Read the register of requests',
  description: `A row for each request that came in from the first day to the last, by the days of the time zone of its
regulation's deadlines, in the order of receipt and all of one moment. \`jsonl\` is the authoritative form, a \`RegisterRow\` a
line. \`csv\` has the same names as columns: UTF-8 with a byte order mark, CRLF, every field in quotes; values of a list are
joined with \`; \`, and a cell that a spreadsheet would compute begins with \`'\`. An answer without its end is not whole. Each
reading is an event, \`report.read\`, of \`/v1/admin-events\`.`,
  query: registerQuerySchema,
  answers: {
    200: {
      description: 'The register.',
      content: { [REGISTER_TYPES.csv]: z.string(), [REGISTER_TYPES.jsonl]: registerRow },
      headers: { 'Content-Disposition': disposition },
    },
  },
  handle: ({ deps, query, apiKeyId }) => {
    const { format } = query;
    const filter = reportFilter(deps, query);
    return Promise.resolve({
      status: 200,
      mediaType: REGISTER_TYPES[format],
      headers: {
        'Content-Disposition': `attachment; filename="register-${filter.from}-${filter.to}.${format}"`,
      },
      stream: async () => {
        const { pages, close } = await readRegister(deps, { filter, format, apiKeyId });
        return { chunks: rendered(format, pages), sent: close, broken: close };
      },
    });
  },
});
