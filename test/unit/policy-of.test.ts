import { describe, expect, it } from '@jest/globals';
import { REQUEST_TYPES } from '../../src/domain/request.ts';
import { policyOf } from '../../src/policy-of.ts';

const from = { channel: 'api', regulation: 'gdpr' } as const;

describe('where access is asked for', () => {
  it.each(REQUEST_TYPES)('identity is required of %s by default only with access in it', (type) => {
    for (const channel of ['api', 'import'] as const)
      expect(policyOf([], { ...from, channel, type }).identityRequired).toBe(type !== 'erasure');
  });

  it('only a rule that names the type says otherwise', () => {
    const type = 'access';
    expect(policyOf([{ identity: 'not_required' }], { ...from, type }).identityRequired).toBe(true);
    const named = { identity: 'not_required', types: ['access' as const] } as const;
    expect(policyOf([{ ...named, types: [...named.types] }], { ...from, type }).identityRequired).toBe(false);
    expect(
      policyOf([{ ...named, types: [...named.types] }], { ...from, type: 'access_and_erasure' })
        .identityRequired,
    ).toBe(true);
  });

  it('other settings of a rule hold for it, too', () => {
    expect(policyOf([{ approval: 'two' }], { ...from, type: 'access' }).approvalsNeeded).toBe(2);
  });
});

describe('a ticket', () => {
  const ticket = { ...from, channel: 'webhook', source: 'support', type: 'erasure' } as const;

  it('needs an identity and an approval unless a rule says otherwise', () => {
    const cautious = { identityRequired: true, approvalsNeeded: 1, coolingOffMs: 0 };
    expect(policyOf([], ticket)).toEqual(cautious);
    expect(policyOf([{ sources: ['api'], identity: 'not_required' }], ticket)).toEqual(cautious);
  });

  it.each([
    ['every source of tickets', 'webhook', false],
    ['this one', 'webhook:support', false],
    ['another one', 'webhook:legal', true],
  ])('follows a rule for %s', (_name, source, identityRequired) => {
    const policy = policyOf([{ sources: [source], identity: 'not_required', approval: 'none' }], ticket);
    expect(policy).toMatchObject({ identityRequired, approvalsNeeded: identityRequired ? 1 : 0 });
  });
});

describe('what Lethe opens itself', () => {
  it.each(['replay', 'sentinel'] as const)('is for no rule: %s', (channel) => {
    const strict = { identity: 'required', approval: 'two', coolingOffMinutes: 5 } as const;
    expect(policyOf([strict], { ...from, channel, type: 'erasure' })).toEqual({
      identityRequired: false,
      approvalsNeeded: 0,
      coolingOffMs: 0,
    });
  });
});
