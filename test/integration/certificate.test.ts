import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { cp, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { cancelRequest } from '../../src/app/cancel-request.ts';
import { issueCertificate } from '../../src/app/issue-certificate.ts';
import { canonicalText } from '../../src/evidence/canonical-text.ts';
import { formatVerifierKey, signNote, signerOf } from '../../src/evidence/signed-note.ts';
import { verifyCertificate } from '../../src/evidence/verify-certificate.ts';
import { openApi, type Api } from '../support/api.ts';
import { createTestFolder } from '../support/postgres.ts';
import { readPdf } from '../support/read-pdf.ts';
import { queueBackends } from '../support/redis.ts';
import { openStage, PROJECT, type Stage } from '../support/stage.ts';

const [backend] = queueBackends();
if (backend === undefined) throw new Error('there is always one');

let stage: Stage;
let id: string;
let text: string;
const issue = (requestId: string) => issueCertificate(stage.deps, { requestId, apiKeyId: stage.apiKeyId });

beforeAll(async () => {
  stage = await openStage({ backend, masterKey: randomBytes(32) });
  stage.sandbox.addUser({ projectKey: PROJECT, userId: 'some&body', sessions: 3 });
  id = (await stage.submit('some&body')).id;
  await stage.settled(id);
  // Others' events around it, so that there is something to be proved.
  for (const other of ['one', 'two', 'three']) await stage.settled((await stage.submit(other)).id);
  await stage.ledger.sealAll();
  text = JSON.stringify(await issue(id));
});
afterAll(() => stage.close());

const verified = (certificate: string, key = stage.ledger.signer) => verifyCertificate(certificate, { key });
const file = z.looseObject({
  certificate: z.looseObject({ tasks: z.array(z.looseObject({ rounds: z.array(z.looseObject({})) })) }),
  issued: z.looseObject({}),
  events: z.array(z.looseObject({ leaf: z.number(), proof: z.array(z.string()), event: z.string() })),
  checkpoint: z.string(),
  signature: z.string(),
});
type File = z.infer<typeof file>;

describe('a certificate', () => {
  it('says what was done, and holds', () => {
    const { certificate, events } = file.parse(JSON.parse(text));
    expect(certificate).toMatchObject({
      format: 'lethe-erasure-certificate/1',
      number: id,
      request: { type: 'erasure', regulation: 'gdpr', channel: 'api', extendedDueOn: null },
      subject: { ref: expect.stringMatching(/^[0-9a-f]{64}$/), kind: 'user_id', keyVersion: 1 },
      identity: { required: false, method: null },
      approvals: [],
      tasks: [
        {
          connection: 'default',
          project: PROJECT,
          rounds: [{ round: 1, jobId: expect.any(String), sessionsBefore: 3, reported: 'completed' }],
          verification: { user: 'absent', sessions: 'absent', sessionsFound: 0, live: 'unavailable' },
          storageCheckNeeded: false,
        },
      ],
    });
    expect(events.length).toBeGreaterThan(6);
    expect(verified(text).wrong).toEqual([]);
    expect(verified(text).checked).toHaveLength(6);
  });

  it('has no identifier in it', () => {
    for (const form of [
      'some&body',
      'some%26body',
      Buffer.from('some&body').toString('base64'),
      Buffer.from('some&body').toString('hex'),
    ])
      expect(text).not.toContain(form);
  });

  it('is an event of the request each time it is issued, and that is no part of the next', async () => {
    const again = file.parse(await issue(id));
    expect(again.events).toHaveLength(file.parse(JSON.parse(text)).events.length);
    const issued = (await stage.trail(id)).filter(({ type }) => type === 'certificate.issued');
    expect(issued).toHaveLength(2);
    expect(issued[0]?.data).toEqual({ checkpoint_size: expect.any(Number) });
    await stage.ledger.sealAll();
    expect(verified(JSON.stringify(await issue(id))).wrong).toEqual([]);
  });

  it('may be compared with what was published', () => {
    const { checkpoint } = file.parse(JSON.parse(text));
    const by = { key: stage.ledger.signer, published: checkpoint };
    expect(verifyCertificate(text, by).wrong).toEqual([]);
    const other = signNote(
      checkpoint
        .split('\n\n')[0]
        ?.replace(/[A-Za-z0-9+/]{42}/, (root) => 'A'.repeat(root.length))
        .concat('\n') ?? '',
      stage.ledger.signer,
    );
    expect(verifyCertificate(text, { ...by, published: other }).wrong).toEqual([
      expect.stringMatching(/another log of \d+ events was published/),
    ]);
    expect(verifyCertificate(text, { ...by, published: '' }).wrong).toEqual([
      expect.stringMatching(/none of \d+ events was/),
    ]);
  });
});

describe('is refused for a request', () => {
  it('that is open', async () => {
    const held = await stage.submit('not yet');
    await stage.ledger.sealAll();
    await expect(issue(held.id)).rejects.toMatchObject({ code: 'CERTIFICATE_NOT_READY' });
    await stage.settled(held.id);
  });

  it('whose last events are not sealed', async () => {
    stage.sandbox.addUser({ projectKey: PROJECT, userId: 'fresh', sessions: 1 });
    const fresh = await stage.submit('fresh');
    await stage.settled(fresh.id);
    await expect(issue(fresh.id)).rejects.toMatchObject({
      code: 'CERTIFICATE_NOT_READY',
      message: expect.stringMatching(/wait to be sealed/),
    });
    await stage.ledger.sealAll();
    await expect(issue(fresh.id)).resolves.toBeDefined();
  });

  it('that was cancelled', async () => {
    stage.sandbox.addUser({ projectKey: PROJECT, userId: 'stays', sessions: 1 });
    const { id: cancelled } = await stage.submit('stays');
    await cancelRequest(stage.deps, { requestId: cancelled, apiKeyId: stage.apiKeyId });
    const view = await stage.settled(cancelled);
    await stage.ledger.sealAll();
    if (view.state === 'cancelled')
      await expect(issue(cancelled)).rejects.toMatchObject({
        code: 'CERTIFICATE_REFUSED',
        message: expect.stringMatching(/was cancelled/),
      });
    await expect(issue('er_00000000000000000000000000000000')).resolves.toBeUndefined();
  });
});

describe('what was changed in it is found', () => {
  const changed = (change: (it: File) => void): readonly string[] => {
    const copy = file.parse(JSON.parse(text));
    change(copy);
    return verified(JSON.stringify(copy)).wrong;
  };
  const first = (it: File) => it.certificate.tasks[0]?.rounds[0] ?? {};

  it.each<[string, (it: File) => void]>([
    [
      'the number',
      (it) => {
        it.certificate['number'] = 'er_00000000000000000000000000000000';
      },
    ],
    [
      'a count',
      (it) => {
        first(it)['sessionsBefore'] = 2;
      },
    ],
    [
      'a statement',
      (it) => {
        it.certificate['statements'] = [];
      },
    ],
    [
      'a field more',
      (it) => {
        it.certificate['proved'] = true;
      },
    ],
    [
      'the time of issue',
      (it) => {
        it.issued['at'] = '2020-01-01T00:00:00.000Z';
      },
    ],
    [
      'an event',
      (it) => {
        const [event] = it.events;
        if (event) event.event = event.event.replace('gdpr', 'ccpa');
      },
    ],
    [
      'an event less',
      (it) => {
        it.events.splice(3, 1);
      },
    ],
    [
      'the last event less',
      (it) => {
        it.events.pop();
      },
    ],
    [
      'two events in another order',
      (it) => {
        it.events.reverse();
      },
    ],
    [
      'a leaf',
      (it) => {
        const [event] = it.events;
        if (event) event.leaf += 1;
      },
    ],
    [
      'a proof',
      (it) => {
        const [event] = it.events;
        event?.proof.pop();
      },
    ],
    [
      'the checkpoint',
      (it) => {
        it.checkpoint = it.checkpoint.replace(/\n\d+\n/, '\n999999\n');
      },
    ],
    [
      'the signature',
      (it) => {
        it.signature = signNote('erasure certificate\n', stage.ledger.signer);
      },
    ],
  ])('%s', (_what, change) => {
    expect(changed(change)).not.toEqual([]);
  });

  it('everything in it made and signed anew with another key', () => {
    const other = signerOf(stage.ledger.signer.name, generateKeyPairSync('ed25519').privateKey);
    expect(verified(text, other).wrong).toHaveLength(2);
  });

  it('one byte, wherever it is, or it says the same', () => {
    const bytes = Buffer.from(text);
    const same = JSON.stringify(JSON.parse(text));
    for (let at = 0; at < bytes.length; at += 7) {
      const copy = Buffer.from(bytes);
      copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
      const wrong = verified(copy.toString('utf8')).wrong.length > 0;
      if (!wrong && JSON.stringify(JSON.parse(copy.toString('utf8'))) !== same)
        throw new Error(`byte ${at} may be changed`);
    }
  });
});

describe('lethe-verify', () => {
  it('checks it where there is nothing of Lethe but the program, no package and no configuration', async () => {
    const folder = await createTestFolder();
    await cp(path.resolve('dist'), path.join(folder, 'dist'), { recursive: true });
    await writeFile(path.join(folder, 'package.json'), '{"type":"module"}');
    await writeFile(path.join(folder, 'certificate.json'), text);
    await writeFile(path.join(folder, 'bad.json'), text.replace('"gdpr"', '"ccpa"'));
    const key = formatVerifierKey(stage.ledger.signer);
    const call = (...args: string[]) =>
      spawnSync(process.execPath, [path.join(folder, 'dist/src/cli/lethe-verify.js'), ...args], {
        cwd: folder,
        env: {},
        encoding: 'utf8',
      });
    const good = call('certificate.json', '--key', key);
    expect(good.stdout).toContain(`The certificate ${id} holds.`);
    expect(good.stdout).toContain(`Fingerprint: ${fingerprint()}\n`);
    expect(good.status).toBe(0);
    const bad = call('bad.json', '--key', key, '--json');
    expect(bad.status).toBe(1);
    expect(JSON.parse(bad.stdout)).toMatchObject({ wrong: [expect.any(String), expect.any(String)] });
    expect(call('certificate.json').status).toBe(2);
    expect(call('missing.json', '--key', key).status).toBe(2);
    expect(call('certificate.json', '--key', 'nonsense').stderr).toContain('A verifier key reads NAME');
  });
});

function fingerprint(): string {
  const { certificate } = z.object({ certificate: z.unknown() }).parse(JSON.parse(text));
  return createHash('sha256').update(canonicalText(certificate)).digest('hex');
}

describe('over HTTP', () => {
  let api: Api;
  let target: string;
  beforeAll(async () => {
    api = await openApi(stage);
    target = `/v1/erasure-requests/${id}/certificate`;
  });
  afterAll(() => api.close());

  const get = async (query: string, accept: string) => {
    const { token } = await api.addKey('requests:read');
    const headers = { authorization: `Bearer ${token}`, accept };
    const answer = await fetch(`http://127.0.0.1:${api.port}${target}${query}`, { headers });
    return { ...answerOf(answer), bytes: new Uint8Array(await answer.arrayBuffer()) };
  };
  const answerOf = ({ status, headers }: Response) => ({
    status,
    type: headers.get('content-type'),
    file: headers.get('content-disposition'),
  });

  it.each([
    ['?format=pdf', '*/*'],
    ['?format=pdf', 'application/json'],
    ['', 'application/pdf'],
    ['', 'application/json;q=0.5, application/pdf'],
  ])('it is PDF to %p with Accept: %s', async (query, accept) => {
    const { bytes, ...answer } = await get(query, accept);
    const file = `inline; filename="${id}-certificate.pdf"`;
    expect(answer).toEqual({ status: 200, type: 'application/pdf', file });
    const paper = readPdf(bytes).pages.join('\n');
    expect(paper).toContain(fingerprint().match(/.{8}/g)?.join(' '));
    expect(paper).toContain(stage.ledger.signer.name);
    for (const form of ['some&body', 'some%26body', Buffer.from('some&body').toString('hex')]) {
      expect(paper).not.toContain(form);
      expect(Buffer.from(bytes).includes(form)).toBe(false);
    }
  });

  it.each([
    ['', '*/*'],
    ['?format=json', 'application/pdf'],
    ['', 'image/png'],
    ['', 'application/pdf;q=0.5, application/json'],
  ])('it is JSON to %p with Accept: %s', async (query, accept) => {
    const { bytes, ...answer } = await get(query, accept);
    const file = `inline; filename="${id}-certificate.json"`;
    expect(answer).toEqual({ status: 200, type: expect.stringMatching(/^application\/json/), file });
    expect(verified(Buffer.from(bytes).toString('utf8')).wrong).toEqual([]);
  });

  it('each answer is an event, and what is no form is none', async () => {
    const issued = async () =>
      (await stage.trail(id)).filter(({ type }) => type === 'certificate.issued').length;
    const before = await issued();
    expect((await get('?format=pdf', '*/*')).status).toBe(200);
    expect((await api.call(`GET ${target}`)).status).toBe(200);
    expect((await api.call(`GET ${target}?format=docx`)).status).toBe(422);
    expect(await issued()).toBe(before + 2);
  });

  it('there is none of a request that is not there, or is open', async () => {
    const nobody = '/v1/erasure-requests/er_00000000000000000000000000000000/certificate?format=pdf';
    expect((await api.call(`GET ${nobody}`)).status).toBe(404);
    const { id: open } = await stage.submit('open still');
    const refused = await api.call(`GET /v1/erasure-requests/${open}/certificate?format=pdf`);
    expect([refused.status, refused.headers['content-type']]).toEqual([
      409,
      expect.stringMatching(/^application\/problem\+json/),
    ]);
    await stage.settled(open);
  });
});
