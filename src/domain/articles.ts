import type { Regulation } from './regulation.ts';
import type { RequestType } from './request.ts';

/** Where the rights stand that a subject can use: to erasure, and to access with portability. */
const RIGHTS: Readonly<Record<Regulation, { erasure: readonly string[]; access: readonly string[] }>> = {
  gdpr: { erasure: ['GDPR Art. 17(1)'], access: ['GDPR Art. 15', 'GDPR Art. 20'] },
  uk_gdpr: { erasure: ['UK GDPR Art. 17(1)'], access: ['UK GDPR Art. 15', 'UK GDPR Art. 20'] },
  ccpa: {
    erasure: ['Cal. Civ. Code 1798.105(a)'],
    access: ['Cal. Civ. Code 1798.110(a)', 'Cal. Civ. Code 1798.130(a)'],
  },
};

/** The articles that a request rests on. */
export function articlesOf(type: RequestType, regulation: Regulation): readonly string[] {
  const { erasure, access } = RIGHTS[regulation];
  switch (type) {
    case 'erasure':
      return erasure;
    case 'access':
      return access;
    case 'access_and_erasure':
      return [...access, ...erasure];
  }
}
