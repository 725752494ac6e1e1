import { SOURCES } from '../domain/request.ts';
import { SOURCE_NAME } from './intake-fields.ts';

/** What a rule of policy may name: a way in, or one source of tickets. */
export function isRuleSource(text: string): boolean {
  const [channel, name, ...more] = text.split(':');
  if (!SOURCES.some((one) => one === channel) || more.length > 0) return false;
  return name === undefined || (channel === 'webhook' && SOURCE_NAME.test(name));
}
