import { createHash } from 'node:crypto';
import type { Certifier, SealedEvent } from '../app/ports/log.ts';
import { canonicalText } from './canonical-text.ts';
import { certificateBody, CertificateRefusedError, type CertificateBody } from './certificate-body.ts';
import { inclusionPath } from './merkle-tree.ts';
import { readTrailEvent } from './sealed-trail.ts';
import { signNote, type NoteSigner } from './signed-note.ts';
import { Tiles, tilesOf } from './tiles.ts';

/** An event of the certificate, with what shows that it is in the log. */
export interface CertifiedEvent {
  readonly leaf: number;
  /** Hashes in base64, from the leaf up. */
  readonly proof: readonly string[];
  /** The exact text that was sealed. */
  readonly event: string;
}

/** A certificate as it is handed out. It is checked with the log's verifier key alone. */
export interface Certificate {
  readonly certificate: CertificateBody;
  readonly issued: { readonly at: string; readonly product: string };
  readonly events: readonly CertifiedEvent[];
  /** The signed checkpoint that the proofs lead to. */
  readonly checkpoint: string;
  /** A signed note over number, time of issue and SHA-256 of the canonical form of `certificate`. */
  readonly signature: string;
}

/** What is signed of a certificate. */
export function certificateText({
  certificate,
  issued,
}: Pick<Certificate, 'certificate' | 'issued'>): string {
  const hash = certificateHash(certificate).toString('base64');
  return `erasure certificate\n${certificate.number}\n${issued.at}\n${issued.product}\n${hash}\n`;
}

/** SHA-256 of the canonical form: what stands on paper as the certificate's fingerprint. */
export function certificateHash(body: CertificateBody): Buffer {
  return createHash('sha256').update(canonicalText(body)).digest();
}

/**
 * Certificates of this log, signed with its key.
 *
 * @param product name and version of what issues them
 * @param print makes the PDF; given from outside, so that whoever verifies needs nothing of it
 */
export function createCertifier(
  signer: NoteSigner,
  product: string,
  print: (certificate: Certificate) => Promise<Uint8Array>,
): Certifier {
  return {
    tilesFor: (leaves, size) => tilesOf(leaves.flatMap((leaf) => inclusionPath(leaf, size))),
    certify: ({ events, head, tiles, issuedAt }) => {
      const closing = untilClosing(events);
      const last = closing.at(-1);
      const certificate = certificateBody(closing.map(({ bytes }) => readTrailEvent(textOf(bytes))));
      if (last === undefined || last.leaf === null || last.leaf >= head.size) throw notSealed();
      const issued = { at: issuedAt.toISOString(), product };
      const known = new Tiles(tiles);
      const json: Certificate = {
        certificate,
        issued,
        events: closing.map(({ leaf, bytes }) => {
          if (leaf === null) throw notSealed();
          const proof = inclusionPath(leaf, head.size).map((part) =>
            Buffer.from(known.hashOf(part)).toString('base64'),
          );
          return { leaf, proof, event: textOf(bytes) };
        }),
        checkpoint: head.note,
        signature: signNote(certificateText({ certificate, issued }), signer),
      };
      return { json, print: () => print(json) };
    },
  };
}

/** What comes after the end (a look of the sentinel, a reading) is no part of what is certified. */
function untilClosing(events: readonly SealedEvent[]): readonly SealedEvent[] {
  const end = events.findIndex(({ type }) => /^request[.](completed|refused|cancelled)$/.test(type));
  return end < 0 ? events : events.slice(0, end + 1);
}

function notSealed(): CertificateRefusedError {
  return new CertificateRefusedError(
    'CERTIFICATE_NOT_READY',
    'The events of the request wait to be sealed; try again in a few seconds.',
  );
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8');
}
