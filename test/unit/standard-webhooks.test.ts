import { randomBytes } from 'node:crypto';

import { describe, expect, it } from '@jest/globals';

import { signWebhook, webhookKey } from '../../src/signatures/standard-webhooks.ts';

/** The vector of the public libraries. */
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

const ofBytes = (bytes: number) => `whsec_${randomBytes(bytes).toString('base64')}`;

describe('signatures of Standard Webhooks', () => {
  it('are those of the public vector', () => {
    const key = webhookKey(SECRET) ?? new Uint8Array();
    const body = Buffer.from('{"test": 2432232314}');
    expect(signWebhook(key, { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestampS: 1614265330, body })).toBe(
      'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    );
  });

  it.each([
    ['nothing', ''],
    ['no secret after the prefix', 'whsec_'],
    ['no prefix', SECRET.slice('whsec_'.length)],
    ['what is no base64', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!'],
    ['base64 without its end', ofBytes(25).replaceAll('=', '')],
    ['23 bytes', ofBytes(23)],
    ['65 bytes', ofBytes(65)],
  ])('need a secret that is not %s', (_what, secret) => {
    expect(webhookKey(secret)).toBeUndefined();
  });

  it.each([24, 25, 26, 64])('take a secret of %i bytes', (bytes) => {
    expect(webhookKey(ofBytes(bytes))).toHaveLength(bytes);
  });
});
