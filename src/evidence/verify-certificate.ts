import { canonicalText } from './canonical-text.ts';
import { certificateBody, type CertificateBody } from './certificate-body.ts';
import { certificateHash, certificateText } from './certificate.ts';
import { openCheckpoint, type Checkpoint } from './checkpoint.ts';
import { hashLeaf, sameHash } from './merkle-hash.ts';
import { verifyInclusion } from './merkle-verify.ts';
import { isRecord, maybeNumber, readTrailEvent, textOf, type TrailEvent } from './sealed-trail.ts';
import { fromBase64, openNote, splitNotes, type NoteVerifier } from './signed-note.ts';

/** What was checked, and what is wrong; nothing is wrong with a certificate that holds. */
export interface Verdict {
  readonly what: string;
  readonly checked: readonly string[];
  readonly wrong: readonly string[];
  /** SHA-256 of what is certified, in hex: what stands on paper. Left out where nothing is certified. */
  readonly fingerprint?: string;
}

interface ReadEvent {
  readonly leaf: number;
  readonly proof: readonly Uint8Array[];
  readonly event: string;
}

/**
 * Checks a certificate offline: its signature, that each of its events is in the log that was signed, that none of them is left
 * out, and that what it says is what the events say. Nothing in it is trusted but what the key has signed.
 *
 * @param text the JSON, as it was handed out
 * @param by.published checkpoints that have left the machine: where one is of the same size, it must be the same
 */
export function verifyCertificate(text: string, by: { key: NoteVerifier; published?: string }): Verdict {
  const checked: string[] = [];
  const wrong: string[] = [];
  const check = <T>(what: string, look: () => T): T | undefined => {
    try {
      const found = look();
      checked.push(what);
      return found;
    } catch (error) {
      wrong.push(`${what}: ${error instanceof Error ? error.message : 'no'}`);
      return undefined;
    }
  };
  const file = check('it is a certificate', () => readCertificate(text));
  if (file === undefined) return { what: 'certificate', checked, wrong };
  check('it is signed with the key', () => {
    assertSigned(file, by.key);
  });
  const checkpoint = check('its checkpoint is signed with the key', () =>
    openCheckpoint(file.checkpoint, by.key),
  );
  if (checkpoint !== undefined) {
    check('each of its events is in the log', () => {
      for (const event of file.events) assertInLog(event, checkpoint);
    });
    const { published } = by;
    if (published !== undefined)
      check('its checkpoint is one that was published', () => {
        assertPublished(checkpoint, published, by.key);
      });
  }
  const events = check('its events are a whole trail', () => wholeTrail(file.events));
  if (events !== undefined)
    check('it says what its events say', () => {
      if (canonicalText(certificateBody(events)) !== canonicalText(file.certificate))
        throw new TypeError('what stands there does not follow from the events');
    });
  const fingerprint = certificateHash(file.certificate).toString('hex');
  return { what: `certificate ${file.certificate.number}`, checked, wrong, fingerprint };
}

interface ReadCertificate {
  readonly certificate: CertificateBody;
  readonly issued: { readonly at: string; readonly product: string };
  readonly events: readonly ReadEvent[];
  readonly checkpoint: string;
  readonly signature: string;
}

function readCertificate(text: string): ReadCertificate {
  const file: unknown = JSON.parse(text);
  if (!isRecord(file)) throw new TypeError('it is no JSON object');
  const { certificate, issued, events } = file;
  if (!isBody(certificate)) throw new TypeError('"certificate" is of no format that is known here');
  if (!isRecord(issued)) throw new TypeError('"issued" is missing');
  if (!Array.isArray(events) || events.length === 0) throw new TypeError('"events" is missing');
  return {
    certificate,
    issued: { at: textOf(issued, 'at'), product: textOf(issued, 'product') },
    events: events.map(readEvent),
    checkpoint: textOf(file, 'checkpoint'),
    signature: textOf(file, 'signature'),
  };
}

/** Its fields are compared as a whole with what follows from the events. */
function isBody(value: unknown): value is CertificateBody {
  return (
    isRecord(value) &&
    value['format'] === 'lethe-erasure-certificate/1' &&
    typeof value['number'] === 'string'
  );
}

function readEvent(value: unknown): ReadEvent {
  if (!isRecord(value)) throw new TypeError('an event is a JSON object');
  const leaf = maybeNumber(value, 'leaf');
  const { proof } = value;
  if (leaf === null || !Array.isArray(proof)) throw new TypeError('an event has a leaf and a proof');
  const hashes = proof.map((hash: unknown) => {
    const bytes = typeof hash === 'string' ? fromBase64(hash) : undefined;
    if (bytes === undefined) throw new TypeError('a proof is hashes in base64');
    return bytes;
  });
  return { leaf, proof: hashes, event: textOf(value, 'event') };
}

function assertSigned(file: ReadCertificate, key: NoteVerifier): void {
  if (openNote(file.signature, key) !== certificateText(file))
    throw new TypeError('the signature is of another certificate');
}

function assertInLog({ leaf, proof, event }: ReadEvent, { size, root }: Checkpoint): void {
  const leafHash = hashLeaf(Buffer.from(event, 'utf8'));
  if (!verifyInclusion({ index: leaf, size, leafHash, proof, root })) {
    const { seq, type, requestId } = readTrailEvent(event);
    throw new TypeError(`event ${seq} of ${requestId} (${type}) is not leaf ${leaf} of the log`);
  }
}

function assertPublished(checkpoint: Checkpoint, published: string, key: NoteVerifier): void {
  const same = splitNotes(published)
    .map((note) => openCheckpoint(note, key))
    .filter(({ size }) => size === checkpoint.size);
  if (same.some(({ root }) => sameHash(root, checkpoint.root))) return;
  throw new TypeError(
    same.length > 0
      ? `another log of ${checkpoint.size} events was published`
      : `none of ${checkpoint.size} events was; compare with \`lethe audit verify\` on the log itself`,
  );
}

/** From the first event to the one that closes the request and counts them all. */
function wholeTrail(read: readonly ReadEvent[]): readonly TrailEvent[] {
  const events = read.map(({ event }) => readTrailEvent(event));
  const [first] = events;
  const last = events.at(-1);
  events.forEach((event, index) => {
    if (event.requestId !== first?.requestId) throw new TypeError(`event ${index} is of another request`);
    if (event.seq !== index) throw new TypeError(`event ${event.seq} stands where event ${index} should`);
  });
  if (last?.data['event_count'] !== events.length)
    throw new TypeError(`the last event does not close the request after ${events.length} events`);
  return events;
}
