import { z } from 'zod';
import { UNROUTABLE_REASONS } from '../domain/identifiers.ts';
import { REQUEST_ATTENTIONS } from '../domain/request.ts';
import { time } from './request-schema.ts';
import { subjectPseudonym } from './subject-schema.ts';

const place = { connection: z.string(), projectKey: z.string() };

const previewedUser = z
  .strictObject({
    ...place,
    userRef: subjectPseudonym.shape.ref.meta({ description: 'Pseudonym of the user id, as in a task.' }),
    unroutable: z
      .enum(UNROUTABLE_REASONS)
      .nullable()
      .meta({ description: 'Why the user id can never be sent to OpenReplay; nothing more is known then.' }),
    sessions: z
      .int()
      .min(0)
      .nullable()
      .meta({ description: 'Over the whole time; null where the server does not count them.' }),
    firstSeen: time.nullable().meta({ description: 'Start of the oldest session.' }),
    lastSeen: time.nullable().meta({ description: 'Start of the newest session.' }),
    live: z.enum(['live', 'not_live', 'not_available']).meta({
      description: 'Whether a session is live; `not_available` where the server cannot say.',
    }),
  })
  .meta({ id: 'PreviewedUser', description: 'A user id in a project that belongs to the subject.' });
export type PreviewedUser = z.infer<typeof previewedUser>;

const lookedIn = z
  .strictObject({
    ...place,
    found: z.int().min(0).meta({ description: 'User ids of the subject in this project.' }),
    byEmail: z
      .strictObject({
        candidates: z
          .int()
          .min(0)
          .meta({ description: "Users that OpenReplay's search gave, most of them look-alikes." }),
        unconfirmed: z.int().min(0).meta({
          description: 'Listed with the very address, but not known, or with another, when they were read.',
        }),
        matches: z.int().min(0).meta({ description: 'Users with the very address.' }),
      })
      .nullable()
      .meta({ description: 'Null where no e-mail address was given.' }),
  })
  .meta({ id: 'LookedIn', description: 'A project that was looked in.' });

/** What a request for the subject would find. Pseudonyms, counts and times, no identifier. */
export const previewView = z
  .strictObject({
    subject: z.array(subjectPseudonym).min(1),
    found: z.int().min(0).meta({
      description:
        'How many user ids in projects belong to the subject: `expect.tasks` of a request that takes just these.',
    }),
    attention: z.enum(REQUEST_ATTENTIONS).nullable().meta({
      description: 'Why a request that expects nothing would go to a person at once; null if it would not.',
    }),
    explanation: z.string().nullable().meta({ description: 'One sentence for a person.' }),
    users: z.array(previewedUser).meta({
      description: 'All that were found; where they are `too_many_matches`, the first few.',
    }),
    searched: z.array(lookedIn),
  })
  .meta({ id: 'Preview' });
export type PreviewView = z.infer<typeof previewView>;
