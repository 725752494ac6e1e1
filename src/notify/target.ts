import { isIP } from 'node:net';
import type { RefusedTarget } from '../app/ports/notify.ts';
import { mayConnect, type Network } from './address.ts';

/** What may be called. */
export interface TargetRules {
  /** Names as they stand in URLs, `*.example.com` for every name below one, `*` for every name. */
  readonly hosts: readonly string[];
  /** Networks that are not public and may be reached all the same. */
  readonly networks: readonly Network[];
  /** Whether http may be used beside https. */
  readonly plainHttp: boolean;
}

/** A target that may be called, as far as its URL tells. */
export interface Target {
  readonly url: URL;
  readonly secure: boolean;
}

/**
 * The target that a URL names, or why it may not be called. The parser writes decimal, octal and hexadecimal hosts as the
 * IPv4 address they are; where the host is a name, its addresses are judged when a connection is opened.
 */
export function judgeTarget(text: string, rules: TargetRules): Target | RefusedTarget {
  const url = webAddress(text);
  if (url === undefined) return 'not_a_url';
  const secure = url.protocol === 'https:';
  if (!secure && !rules.plainHttp) return 'not_https';
  if (url.username !== '' || url.password !== '') return 'has_credentials';
  const host = hostOf(url);
  if (!rules.hosts.some((pattern) => isNamed(host, pattern.toLowerCase()))) return 'host_not_allowed';
  if (isIP(host) !== 0 && !mayConnect(host, rules.networks)) return 'address_not_allowed';
  return { url, secure };
}

function webAddress(text: string): URL | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  return url.protocol === 'https:' || url.protocol === 'http:' ? url : undefined;
}

/** Without the brackets of an IPv6 address and the dot that ends an absolute name. */
function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
}

function isNamed(host: string, pattern: string): boolean {
  if (pattern === '*') return true;
  return pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) : host === pattern;
}
