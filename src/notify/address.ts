import ipaddr from 'ipaddr.js';

/** An IP network: a first address and the length of its prefix. */
export type Network = readonly [ipaddr.IPv4 | ipaddr.IPv6, number];

/** All IPv6 addresses that are routed publicly are in here; what stands for an IPv4 address mostly is not. */
const GLOBAL_IPV6 = ipaddr.IPv6.parseCIDR('2000::/3');

/** Public by its number, but answered by the host that a virtual machine of Azure runs on. */
const AZURE_HOST = '168.63.129.16';

/**
 * The network that a text such as `10.0.0.0/8` or `fd00::/8` names.
 *
 * @throws Error when it names none
 */
export function networkOf(cidr: string): Network {
  return ipaddr.parseCIDR(cidr);
}

/**
 * Whether a connection to the address may be opened: it is public, or in one of the networks that the configuration opens.
 * An address that stands for another one (IPv4-mapped, NAT64, 6to4, Teredo) is never public, whatever it stands for.
 */
export function mayConnect(address: string, networks: readonly Network[]): boolean {
  // Node gives link-local addresses with their zone; they are not public with or without.
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.parse(address);
  if (networks.some((network) => isWithin(parsed, network))) return true;
  if (parsed.range() !== 'unicast') return false;
  return parsed instanceof ipaddr.IPv6 ? parsed.match(GLOBAL_IPV6) : parsed.toString() !== AZURE_HOST;
}

function isWithin(address: ipaddr.IPv4 | ipaddr.IPv6, [first, bits]: Network): boolean {
  return address.kind() === first.kind() && address.match(first, bits);
}
