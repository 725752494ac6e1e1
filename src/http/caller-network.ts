import ipaddr from 'ipaddr.js';

/** Bits of an IPv6 address that a caller does not choose itself. */
const IPV6_PREFIX = 64;

/**
 * Whom calls from an address are counted for: an IPv4 address itself, an IPv6 address's network of 64 bits, since whoever
 * has one address of it has them all. What is no address (a proxy's header may hold anything) counts as one.
 */
export function networkOf(address: string | undefined): string {
  if (address === undefined || !ipaddr.isValid(address)) return 'unknown';
  // An IPv4 address comes as ::ffff:192.0.2.1 where the server listens on both.
  const parsed = ipaddr.process(address);
  if (parsed.kind() === 'ipv4') return parsed.toString();
  return ipaddr.IPv6.networkAddressFromCIDR(`${parsed.toString()}/${IPV6_PREFIX}`).toString();
}
