import { describe, expect, it } from '@jest/globals';
import { REQUEST_TYPES, SOURCES } from '../../src/domain/request.ts';
import { policyOf } from '../../src/policy-of.ts';

const from = { channel: 'api', regulation: 'gdpr' } as const;

describe('where access is asked for', () => {
  it.each(REQUEST_TYPES)('identity is required of %s by default only with access in it', (type) => {
    for (const channel of SOURCES)
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
