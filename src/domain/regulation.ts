export const REGULATIONS = ['gdpr', 'uk_gdpr', 'ccpa'] as const;
export type Regulation = (typeof REGULATIONS)[number];
