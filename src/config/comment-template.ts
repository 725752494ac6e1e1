import mustache from 'mustache';

const KNOWN: ReadonlySet<string> = new Set(['requestId', 'state', 'outcome', 'dueOn']);

/** Whether a template can be read, and shows nothing that there is not: a mistyped name would be an empty place. */
export function isCommentTemplate(template: string): boolean {
  try {
    return template.length <= 2_000 && knowsAll(mustache.parse(template));
  } catch {
    return false;
  }
}

type Spans = ReturnType<typeof mustache.parse>;

function knowsAll(spans: Spans): boolean {
  return spans.every(([kind, name, , , inner]) => {
    if (kind === 'text' || kind === '!') return true;
    if (kind === '#' || kind === '^') return KNOWN.has(name) && Array.isArray(inner) && knowsAll(inner);
    return (kind === 'name' || kind === '&') && KNOWN.has(name);
  });
}
