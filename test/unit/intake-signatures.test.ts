import { sign as githubSign, verify as githubVerify } from '@octokit/webhooks-methods';
import { describe, expect, it } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import type { RawDelivery } from '../../src/app/ports/intake.ts';
import { SOURCE_KINDS } from '../../src/domain/ticket.ts';
import { schemeOf } from '../../src/intake/create-source.ts';
import { hubSignature } from '../../src/intake/hub-signature.ts';
import { isSignedWebhook, signWebhook, webhookKey } from '../../src/signatures/standard-webhooks.ts';
import { proofOf, secretsOf, sent, WHSEC } from '../support/ticketing.ts';

/** The vectors of the protocols, and the public libraries as the other side. */

function delivery(headers: Readonly<Record<string, string>>, body: string, now = new Date()): RawDelivery {
  return { header: (name) => headers[name], body: Buffer.from(body), now };
}

describe('Standard Webhooks', () => {
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const id = 'msg_p5jXN8AQM9LWM0D4loKWxJek';
  const body = '{"test": 2432232314}';
  const signature = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=';
  const at = new Date(1_614_265_330_000);
  const headers = { 'webhook-id': id, 'webhook-timestamp': '1614265330', 'webhook-signature': signature };
  const scheme = schemeOf({ kind: 'standard-webhooks', secrets: [secret] });

  it('the vector is made and accepted', () => {
    const key = webhookKey(secret);
    expect(key && signWebhook(key, { id, timestampS: 1_614_265_330, body: Buffer.from(body) })).toBe(
      signature,
    );
    expect(scheme.check(delivery(headers, body, at)).ok).toBe(true);
  });

  it('what the library signs is accepted, and the library accepts what we sign', () => {
    const library = new Webhook(WHSEC);
    const now = new Date();
    const theirs = library.sign('msg_1', now, body);
    const seconds = String(Math.floor(now.getTime() / 1_000));
    const ours = schemeOf(proofOf('standard-webhooks'));
    const signed = { 'webhook-id': 'msg_1', 'webhook-timestamp': seconds, 'webhook-signature': theirs };
    expect(ours.check(delivery(signed, body, now)).ok).toBe(true);
    const made = ours.sign({ body: Buffer.from(body), now, id: 'msg_2' });
    expect(library.verify(body, { ...made.headers })).toEqual({ test: 2_432_232_314 });
  });

  it('one of several signatures is enough, whatever the others are', () => {
    const several = (entries: string) =>
      scheme.check(delivery({ ...headers, 'webhook-signature': entries }, body, at)).ok;
    expect(several(`v1a,xxxx v1,AAAA ${signature}`)).toBe(true);
    expect(several(`v1a,${signature.slice(3)}`)).toBe(false);
    expect(several(`${signature},`)).toBe(false);
    expect(several(signature.slice(3))).toBe(false);
    expect(several('')).toBe(false);
  });

  it.each([
    [300, true],
    [301, false],
    [-300, true],
    [-301, false],
  ])('a time %i s ago: %s', (seconds, ok) => {
    expect(scheme.check(delivery(headers, body, new Date(at.getTime() + seconds * 1_000))).ok).toBe(ok);
  });

  it.each(['01614265330', '1614265330.0', '+1614265330', ' 1614265330', '1.61426533e9', '', 'now'])(
    'a time that is written as %j is none',
    (time) => {
      expect(scheme.check(delivery({ ...headers, 'webhook-timestamp': time }, body, at)).ok).toBe(false);
    },
  );

  it('a full stop in the name cannot move the border between name, time and body', () => {
    const moved = { ...headers, 'webhook-id': `${id}.1614265330`, 'webhook-timestamp': '1' };
    const key = webhookKey(secret) ?? Buffer.alloc(0);
    const message = { id: `${id}.1614265330`, timestampS: 1_614_265_330, body: Buffer.from(body) };
    expect(scheme.check(delivery(moved, body, at)).ok).toBe(false);
    const signed = { ...headers, 'webhook-id': message.id, 'webhook-signature': signWebhook(key, message) };
    expect(isSignedWebhook([key], message, signed['webhook-signature'])).toBe(true);
    expect(scheme.check(delivery(signed, body, at)).ok).toBe(false);
  });
});

describe('GitHub', () => {
  const secret = "It's a Secret to Everybody";
  const body = 'Hello, World!';
  const signature = 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17';
  const scheme = schemeOf({ kind: 'github', secrets: [secret] });

  it('the vector is made and accepted', () => {
    const headers = { 'x-hub-signature-256': signature, 'x-github-delivery': 'd-1' };
    expect(scheme.check(delivery(headers, body)).ok).toBe(true);
    expect(scheme.sign({ body: Buffer.from(body), now: new Date(), id: 'd-1' }).headers).toEqual(headers);
  });

  it('what the library signs is accepted, and the library accepts what we sign', async () => {
    const [own] = secretsOf('github');
    const ours = schemeOf(proofOf('github'));
    const headers = { 'x-hub-signature-256': await githubSign(own, body), 'x-github-delivery': 'd-2' };
    expect(ours.check(delivery(headers, body)).ok).toBe(true);
    const made = ours.sign({ body: Buffer.from(body), now: new Date(), id: 'd-3' });
    await expect(githubVerify(own, body, made.headers['x-hub-signature-256'] ?? '')).resolves.toBe(true);
  });
});

describe('Jira', () => {
  it('the vector is made and accepted', () => {
    const scheme = hubSignature(["It's a Secret to Everybody"], {
      signature: 'x-hub-signature',
      id: 'x-atlassian-webhook-identifier',
    });
    const signature = 'sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9';
    const headers = { 'x-hub-signature': signature, 'x-atlassian-webhook-identifier': 'i-1' };
    expect(scheme.check(delivery(headers, 'Hello World!')).ok).toBe(true);
    expect(scheme.sign({ body: Buffer.from('Hello World!'), now: new Date(), id: 'i-1' }).headers).toEqual(
      headers,
    );
  });

  it.each([
    ['now', 0, true],
    ['almost a day old', 24 * 3_600_000 - 1_000, true],
    ['more than a day old', 24 * 3_600_000 + 1_000, false],
    ['an hour ahead', -3_600_000, false],
  ])('a body whose time is %s', (_name, ageMs, ok) => {
    const now = new Date();
    const body = JSON.stringify({ timestamp: now.getTime() - ageMs });
    expect(schemeOf(proofOf('jira')).check(delivery(sent('jira', body).headers, body, now)).ok).toBe(ok);
  });

  it.each(['{}', '{"timestamp": "1772357400000"}', '{"timestamp": null}', '[', '"x"'])(
    'a body without a time is too old: %s',
    (body) => {
      expect(schemeOf(proofOf('jira')).check(delivery(sent('jira', body).headers, body)).ok).toBe(false);
    },
  );
});

describe.each(SOURCE_KINDS)('%s', (kind) => {
  it('accepts what we sign to try it, as a system would', () => {
    const scheme = schemeOf(proofOf(kind));
    const now = new Date();
    const { headers, body } = scheme.sign({ body: Buffer.from('{"a": 1}'), now, id: 'one' });
    const checked = scheme.check({ header: (name) => headers[name], body, now });
    expect(checked.ok).toBe(true);
    const keys = checked.ok ? checked.replayKeys.map(({ key }) => Buffer.from(key).toString('hex')) : [];
    expect(new Set(keys).size).toBe(keys.length);
    expect(keys.every((key) => key.length === 64)).toBe(true);
  });

  it('takes no empty secret', () => {
    expect(() => schemeOf({ ...proofOf(kind), secrets: [''] })).toThrow(TypeError);
  });
});
