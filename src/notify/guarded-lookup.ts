import { lookup as lookUp, type LookupAddress, type LookupAllOptions } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { mayConnect, type Network } from './address.ts';

/** Gives every address of a name, as `dns.lookup` does with `all`. */
export type ResolveAll = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses?: LookupAddress[]) => void,
) => void;

/** The system's resolver. */
export const systemResolver: ResolveAll = lookUp;

/** The code of the error with which a lookup ends that found an address which may not be connected to. */
export const ADDRESS_NOT_ALLOWED = 'ADDRESS_NOT_ALLOWED';

/**
 * The lookup that a socket does when it connects: what it gives is what is connected to, so no name can change between a
 * check and the connection. One forbidden address among several refuses them all, as which is tried is up to chance.
 */
export function guardedLookup(resolve: ResolveAll, networks: readonly Network[]): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      const [first] = addresses ?? [];
      if (error !== null || addresses === undefined || first === undefined) {
        callback(error ?? failure('ENOTFOUND'), '', 4);
        return;
      }
      if (!addresses.every(({ address }) => mayConnect(address, networks))) {
        callback(failure(ADDRESS_NOT_ALLOWED), '', 4);
        return;
      }
      if (options.all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}

function failure(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error('the name cannot be connected to'), { code });
}
