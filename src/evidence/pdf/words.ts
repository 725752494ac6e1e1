import type { CertifiedRound, CertifiedTask, CertificateBody } from '../certificate-body.ts';

/** How words of the certificate read on paper. A word that is not known here stands as it is. */
const TYPES: Words = {
  erasure: 'erasure of personal data',
  access_and_erasure: 'a copy of personal data, then their erasure',
};
const LAWS: Words = {
  gdpr: 'GDPR (Regulation (EU) 2016/679)',
  uk_gdpr: 'UK GDPR',
  ccpa: 'CCPA (California Consumer Privacy Act)',
};
const CHANNELS: Words = {
  api: 'over the API',
  import: 'in a bulk import',
  webhook: 'from a ticketing system',
  replay: 'opened again by Lethe after a backup was restored',
  sentinel: 'opened by Lethe because the subject was there again',
};
const KINDS: Words = { user_id: 'user id', email: 'e-mail address' };
const REPORTED: Words = { no_such_user: 'no such user', job_vanished: 'the job is not there any more' };
const RESULTS: Words = {
  absent: 'not found',
  residue: 'still found',
  unavailable: 'not offered by this server',
};

type Words = Readonly<Record<string, string>>;

function said(words: Words, word: string): string {
  return words[word] ?? word.replaceAll('_', ' ');
}

/** `2026-11-25 15:22 UTC` */
export function timeText(at: string): string {
  return `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** In groups of eight, to be compared by eye. */
export function inGroups(hex: string): string {
  return (hex.match(/.{1,8}/g) ?? []).join(' ');
}

export function askedText({ type, regulation }: CertificateBody['request']): string {
  return `${said(TYPES, type)}, under the ${said(LAWS, regulation)}`;
}

export function receivedText({ receivedAt, channel }: CertificateBody['request']): string {
  return `${timeText(receivedAt)}, ${said(CHANNELS, channel)}`;
}

export function dueText({ dueOn, extendedDueOn }: CertificateBody['request']): string {
  const due = dueOn ?? 'no day';
  return extendedDueOn === null ? due : `${due}, extended to ${extendedDueOn}`;
}

export function subjectText({ kind, keyVersion }: CertificateBody['subject']): string {
  return `${said(KINDS, kind)}, named by a pseudonym under version ${keyVersion} of the key`;
}

export function identityText({ required, method, verifiedAt }: CertificateBody['identity']): string {
  if (verifiedAt !== null)
    return `verified ${timeText(verifiedAt)}${method === null ? '' : ` (${said({}, method)})`}`;
  return required ? 'asked for by the policy, not verified' : 'not asked for by the policy';
}

export function approvalsText(approvals: CertificateBody['approvals']): string {
  if (approvals.length === 0) return 'none was needed';
  return approvals.map(({ by, at }) => `${actorText(by)}, ${timeText(at)}`).join('\n');
}

function actorText(actor: string): string {
  return actor === 'local' ? 'somebody on the machine of Lethe' : actor.replace(/^api_key:/, 'API key ');
}

/** Where the task was, and as which of the subject's users. */
export function placeText({ connection, project, userRef, storageCheckNeeded }: CertifiedTask): string {
  return [
    `${connection} / ${project}`,
    ...(userRef === null ? [] : [`user ${userRef.slice(0, 16)}…`]),
    ...(storageCheckNeeded ? ['object storage to be checked'] : []),
  ].join('\n');
}

export function jobText({ jobId, adopted }: CertifiedRound): string {
  if (jobId === null) return 'no job';
  return adopted ? `${jobId}\n(found running)` : jobId;
}

export function countText(sessions: number | null): string {
  return sessions === null ? 'not counted' : String(sessions);
}

export function reportedText({ reported, reportedAt }: CertifiedRound): string {
  if (reported === null) return 'nothing';
  return [said(REPORTED, reported), ...(reportedAt === null ? [] : [timeText(reportedAt)])].join('\n');
}

/** "unavailable" is said as what it is: nobody looked, so it never reads as nothing found. */
export function resultText(result: string, found: number | null = null): string {
  return found === null || result === 'unavailable' ? said(RESULTS, result) : `${found} found`;
}
