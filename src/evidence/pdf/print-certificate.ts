import { certificateHash, type Certificate } from '../certificate.ts';
import { drawQrCode } from './qr-code.ts';
import { Sheet, type Style } from './sheet.ts';
import { drawFields, drawTable } from './table.ts';
import {
  approvalsText,
  askedText,
  countText,
  dueText,
  identityText,
  inGroups,
  jobText,
  placeText,
  receivedText,
  reportedText,
  resultText,
  subjectText,
  timeText,
} from './words.ts';

const TITLE: Style = { font: 'bold', size: 20 };
const HEADING: Style = { font: 'bold', size: 10.5 };
const BODY: Style = { font: 'regular', size: 8.5 };
const CODE: Style = { font: 'mono', size: 7.5 };
const QR_SIZE = 92;

/**
 * A certificate as pages to be read and filed: PDF/A-2b, tagged. It is not signed; its fingerprint, in words and as a QR code,
 * is that of the JSON that is.
 *
 * @returns the same bytes for the same certificate
 */
export async function printCertificate(certificate: Certificate): Promise<Uint8Array> {
  const { certificate: body, issued } = certificate;
  const fingerprint = certificateHash(body).toString('hex');
  const sheet = new Sheet({
    title: `Erasure certificate ${body.number}`,
    keywords: `sha256:${fingerprint}`,
    creator: issued.product,
    at: new Date(issued.at),
  });
  drawTop(sheet, certificate, fingerprint);
  drawRequest(sheet, certificate);
  drawJobs(sheet, certificate);
  drawReadings(sheet, certificate);
  drawList(sheet, 'What is stated', body.statements);
  drawList(sheet, 'What remains, and until when', body.residuals);
  drawLog(sheet, certificate);
  drawChecking(sheet, fingerprint);
  return sheet.finish(`Erasure certificate ${body.number}`);
}

function drawTop(sheet: Sheet, { certificate, issued }: Certificate, fingerprint: string): void {
  const { y } = sheet;
  const width = Sheet.width - QR_SIZE - 24;
  sheet.block('Erasure certificate', TITLE, { type: 'H1', width });
  sheet.block(certificate.number, { font: 'mono', size: 9 }, { type: 'P', width });
  sheet.y += 6;
  const text = `An erasure on OpenReplay was asked for, carried out, and verified by reading. It was completed ${timeText(
    certificate.completedAt,
  )}. This says what OpenReplay reported, what was read afterwards, and what remains. Issued ${timeText(
    issued.at,
  )} by ${issued.product}.`;
  sheet.block(text, BODY, { type: 'P', width });
  drawQrCode(sheet, fingerprint, {
    ...{ x: Sheet.left + Sheet.width - QR_SIZE, y: y + 2, size: QR_SIZE },
    alt: `QR code of the certificate's fingerprint, ${fingerprint}`,
  });
  sheet.y = Math.max(sheet.y, y + QR_SIZE);
}

function heading(sheet: Sheet, text: string): void {
  sheet.y += 9;
  // Not alone at the foot of a page.
  sheet.fits(50);
  sheet.block(text, HEADING, { type: 'H2' });
  sheet.y += 3;
}

function drawRequest(
  sheet: Sheet,
  { certificate: { request, subject, identity, approvals } }: Certificate,
): void {
  heading(sheet, 'What was asked for');
  drawFields(sheet, [
    { name: 'Request', value: askedText(request) },
    { name: 'Received', value: receivedText(request) },
    { name: 'Due', value: dueText(request) },
    { name: 'Subject', value: subjectText(subject) },
    { name: 'Pseudonym', value: subject.ref, mono: true },
    { name: 'Identity', value: identityText(identity) },
    { name: 'Approvals', value: approvalsText(approvals) },
  ]);
}

function drawJobs(sheet: Sheet, { certificate: { tasks } }: Certificate): void {
  heading(sheet, 'What OpenReplay reported');
  const rows = tasks.flatMap((task, at) =>
    task.rounds.map((round) => [
      String(at + 1),
      placeText(task),
      String(round.round),
      jobText(round),
      round.submittedAt === null ? 'not submitted' : timeText(round.submittedAt),
      countText(round.sessionsBefore),
      reportedText(round),
    ]),
  );
  const columns = [
    { title: 'Task', width: 26 },
    { title: 'Connection / project', width: 142 },
    { title: 'Round', width: 34 },
    { title: 'Job', width: 66 },
    { title: 'Submitted', width: 89 },
    { title: 'Sessions before', width: 46 },
    { title: 'OpenReplay reported', width: 92 },
  ];
  drawTable(sheet, columns, rows);
}

function drawReadings(sheet: Sheet, { certificate: { tasks } }: Certificate): void {
  heading(sheet, 'What was verified by reading');
  const rows = tasks.map(({ project, verification: { at, user, sessions, sessionsFound, live } }, index) => [
    String(index + 1),
    project,
    resultText(user),
    resultText(sessions, sessionsFound),
    resultText(live),
    timeText(at),
  ]);
  const columns = [
    { title: 'Task', width: 26 },
    { title: 'Project', width: 104 },
    { title: 'User', width: 102 },
    { title: 'Sessions', width: 70 },
    { title: 'Live sessions', width: 104 },
    { title: 'Read', width: 89 },
  ];
  drawTable(sheet, columns, rows);
}

function drawList(sheet: Sheet, title: string, items: readonly string[]): void {
  heading(sheet, title);
  const list = sheet.element('L');
  for (const text of items) {
    sheet.fits(sheet.heightOf(text, BODY, Sheet.width - 10));
    const item = sheet.element('LI', list);
    sheet.within(sheet.element('Lbl', item), () => {
      sheet.write('•', BODY, { x: Sheet.left, y: sheet.y, width: 10 });
    });
    sheet.block(text, BODY, { type: 'LBody', parent: item, indent: 10 });
    sheet.y += 1;
  }
  list.end();
}

/** The checkpoint is of three lines: origin, size, root. */
function drawLog(sheet: Sheet, { checkpoint, events }: Certificate): void {
  heading(sheet, 'Where it stands in the log');
  const [origin = '', size = '', root = ''] = checkpoint.split('\n');
  const count = `${events.length} events of this request are among the ${size} of the log at the time of issue`;
  drawFields(sheet, [
    { name: 'Log', value: origin },
    { name: 'Events', value: count },
    { name: 'Root', value: root, mono: true },
  ]);
}

function drawChecking(sheet: Sheet, fingerprint: string): void {
  heading(sheet, 'How to check it');
  const paragraph = (text: string, style = BODY) => {
    sheet.block(text, style, { type: style === CODE ? 'Code' : 'P' });
    sheet.y += 3;
  };
  paragraph(
    'This sheet is for people and is not signed. What is signed is the file certificate.json, which Lethe hands out for the same request. It belongs to this sheet when it has this fingerprint, which is in the QR code, too:',
  );
  paragraph(inGroups(fingerprint), { font: 'mono', size: 8 });
  paragraph('Both of these print the fingerprint of the file; the second needs nothing of Lethe:');
  paragraph(
    'lethe-verify certificate.json --key KEY\njq -cjS .certificate certificate.json | sha256sum',
    CODE,
  );
  paragraph(
    'The first checks all of it, offline, with the verifier key that the controller of the log has handed out: the signature, that each event is in the log, that none is left out, and that what is certified follows from them.',
  );
}
