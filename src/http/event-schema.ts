import { z } from 'zod';
import { holdId } from '../app/standing-holds.ts';
import { callbackId } from '../app/callback-schema.ts';
import { apiKeyId } from '../app/api-key-schema.ts';
import { PAGE_MAX, requestId, time } from '../app/request-schema.ts';

/** An audit event as encodeEvent writes it. Types are not listed: newer versions have more of them. */
const auditEvent = z
  .strictObject({
    v: z.literal(1),
    request_id: requestId,
    seq: z.int().min(0).meta({ description: 'From 0, without a gap.' }),
    at: time,
    type: z.string().regex(/^(request|task|subject|package|certificate|deadline)\.[a-z_]+$/),
    actor: z
      .string()
      .regex(/^(lethe|local|api_key:ak_[0-9a-f]{32})$/)
      .meta({ description: 'Lethe itself, a command on its machine, or the id of an API key.' }),
    task_id: z.string().nullable(),
    change: z
      .strictObject({ from: z.string().nullable(), to: z.string() })
      .nullable()
      .meta({ description: 'Present exactly when a state changed.' }),
    data: z.looseObject({}),
  })
  .meta({ id: 'AuditEvent' });

/** Of what was done to an API key, a standing hold or a connection, or who looked for whom or read a report. */
const adminEvent = z
  .strictObject({
    v: auditEvent.shape.v,
    seq: auditEvent.shape.seq,
    at: time,
    type: z.string().regex(/^(api_key|hold|subject|connection|audit|log|vault|report|callback)\.[a-z_]+$/),
    actor: z
      .string()
      .regex(/^(lethe|local|api_key:ak_[0-9a-f]{32})$/)
      .meta({ description: 'Lethe itself, a command on its machine, or the API key that did it.' }),
    key_id: apiKeyId.optional().meta({ description: 'The API key that it was done to.' }),
    hold_id: holdId.optional().meta({ description: 'The standing hold that it was done to.' }),
    callback_id: callbackId.optional().meta({ description: 'The callback that it was done to.' }),
    connection: z.string().optional().meta({ description: 'The connection that it was done to.' }),
    data: z.looseObject({}),
  })
  .meta({ id: 'AdminEvent' });

const nextAfter = z
  .int()
  .nullable()
  .meta({ description: 'Give it as `after` for what follows; null on the last page.' });

export const eventPage = z
  .strictObject({ events: z.array(auditEvent).max(PAGE_MAX), nextAfter })
  .meta({ id: 'EventPage' });

export const adminEventPage = z
  .strictObject({ events: z.array(adminEvent).max(PAGE_MAX), nextAfter })
  .meta({ id: 'AdminEventPage' });
