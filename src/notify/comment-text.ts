import mustache from 'mustache';
import type { ReplyMoment, ReplyValues } from '../app/ports/notify.ts';

/** What is said where the configuration says nothing else. */
const DEFAULTS: Readonly<Record<ReplyMoment, string>> = {
  accepted: 'The request was taken in as {{requestId}}.{{#dueOn}} It is due on {{dueOn}}.{{/dueOn}}',
  needsPerson: 'The request {{requestId}} cannot go on without a person.',
  completed: 'The request {{requestId}} is completed{{#outcome}} ({{outcome}}){{/outcome}}.',
  refused: 'The request {{requestId}} was refused.',
};

/** The comment's text, plain: neither ticket system is sent anything that it would read as markup. */
export function commentText(
  template: string | undefined,
  { moment, values, marker }: { moment: ReplyMoment; values: ReplyValues; marker: string },
): string {
  const text = mustache.render(template ?? DEFAULTS[moment], values, {}, { escape: String });
  return `${text}\n\n${marker}`;
}
