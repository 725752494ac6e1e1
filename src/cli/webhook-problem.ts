/** A problem of a mapping in one sentence. */
export function problemText(problem: {
  readonly field: string | null;
  readonly pointers: readonly string[];
  readonly expected: string;
}): string {
  const { field, pointers, expected } = problem;
  const place = pointers.length === 0 ? '' : ` at ${pointers.join(' or ')}`;
  return field === null ? expected : `${field}${place}: ${expected}`;
}
