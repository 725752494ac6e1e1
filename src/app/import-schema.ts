import { z } from 'zod';
import { IMPORT_FORMATS, IMPORT_STATES } from '../domain/imports.ts';
import { PAGE_MAX, time } from './request-schema.ts';

/** An import as people and programs see it: counts, lines and what was expected, nothing of what a row says. */

export const IMPORT_ID = /^im_[0-9a-f]{32}$/;
export const importId = z.string().regex(IMPORT_ID).meta({ id: 'ImportId' });

const rowErrors = z
  .strictObject({
    line: z.int().min(1).meta({ description: 'Where the row begins in the file; lines count from 1.' }),
    errors: z
      .array(
        z.strictObject({
          field: z.string().meta({
            description:
              'The column (CSV) or a JSON Pointer into the line (NDJSON); empty for the row itself.',
          }),
          detail: z.string().meta({ description: 'What was expected.' }),
        }),
      )
      .meta({ description: 'At most ten.' }),
  })
  .meta({ id: 'RejectedRow' });
export type RowErrorsView = z.infer<typeof rowErrors>;

/** How many rejected rows an import shows itself. */
export const FIRST_ERRORS = 20;

const count = z.int().min(0);

export const importView = z
  .strictObject({
    id: importId,
    format: z.enum(IMPORT_FORMATS),
    state: z.enum(IMPORT_STATES).meta({
      description:
        '`interrupted`: the upload broke off; sent again, it goes on. `failed`: the file cannot be read on from a line.',
    }),
    rows: count.meta({ description: 'Read so far: the sum of the three that follow.' }),
    accepted: count.meta({ description: 'Became requests.' }),
    repeated: count.meta({
      description: 'Made nothing: an equal row of the same API key was taken in before.',
    }),
    rejected: count.meta({ description: 'Cannot be accepted; `errors` says why.' }),
    failure: z
      .strictObject({ code: z.string(), detail: z.string(), line: z.int().nullable() })
      .nullable()
      .meta({ description: 'Why the file cannot be read on. The rows before it stay taken in.' }),
    errors: z
      .array(rowErrors)
      .max(FIRST_ERRORS)
      .meta({ description: 'The first rejected rows; `/errors` below the import has all.' }),
    submittedBy: z.string().meta({ description: 'Id of an API key.' }),
    createdAt: time,
    updatedAt: time,
  })
  .meta({ id: 'Import' });
export type ImportView = z.infer<typeof importView>;

export const importPage = z
  .strictObject({
    items: z.array(importView.omit({ errors: true }).meta({ id: 'ImportSummary' })).max(PAGE_MAX),
    nextCursor: importId
      .nullable()
      .meta({ description: 'Give it as `cursor` for what follows; null on the last page.' }),
  })
  .meta({ id: 'ImportPage' });
export type ImportPage = z.infer<typeof importPage>;

export const importErrorPage = z
  .strictObject({
    items: z.array(rowErrors).max(PAGE_MAX),
    nextAfter: z
      .int()
      .nullable()
      .meta({ description: 'Give it as `after` for what follows; null on the last page.' }),
  })
  .meta({ id: 'ImportErrorPage' });
export type ImportErrorPage = z.infer<typeof importErrorPage>;
