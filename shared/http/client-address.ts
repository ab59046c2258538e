import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/** Whether an address is this machine's own. */
export function isLoopback(address: string): boolean {
  return isIP(address) !== 0 && ipaddr.process(address).range() === 'loopback'
}

/**
 * Where a request comes from. Only a proxy on this machine is believed when it says for whom it calls: anybody else could
 * say anything.
 *
 * @param peer the socket's address
 * @param forwardedFor the `X-Forwarded-For` header, if there is one
 * @param pick which of several addresses in it: the `first`, as the farthest client is written, or the `nearest`, which the
 *   last proxy that is not on this machine saw for itself
 */
export function clientAddress(
  peer: string,
  forwardedFor: string | string[] | undefined,
  pick: 'first' | 'nearest',
): string {
  if (forwardedFor === undefined || !isLoopback(peer)) return peer
  const named = String(forwardedFor)
    .split(',')
    .map(address => address.trim())
    .filter(address => address !== '')
  const picked = pick === 'first' ? named[0] : (named.findLast(address => !isLoopback(address)) ?? named[0])
  return picked ?? peer
}
