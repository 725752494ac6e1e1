/** How the part before the `@` is compared. RFC 5321 lets the receiving server decide, and most fold case. */
export type LocalPart = 'exact' | 'case_insensitive';

/** An address in the form in which equal addresses are equal texts: the domain's case never counts (RFC 5321 2.4). */
export function comparableEmail(address: string, localPart: LocalPart): string {
  const at = address.lastIndexOf('@');
  if (at < 0) return address;
  const local = address.slice(0, at);
  const domain = address.slice(at + 1).toLowerCase();
  return `${localPart === 'exact' ? local : local.toLowerCase()}@${domain}`;
}

/** Whether the text can be an e-mail address at all: something before the last `@`, a domain without spaces after it. */
export function isEmailAddress(text: string): boolean {
  return text.isWellFormed() && /^[^@\s][^\s]*@[^@\s]+$/.test(text) && !text.startsWith('@');
}
