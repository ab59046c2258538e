import { createHash } from 'node:crypto'
import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/** Bits that tell one customer's network from the next: /24 of IPv4, /48 of IPv6. */
const PREFIX = { ipv4: 24, ipv6: 48 } as const

/**
 * What the daily cap counts by: 16 hex digits that stand for the caller's network. An IPv4 address is the same in its IPv6
 * spelling; what is no address stands for itself.
 *
 * @param address as the socket or a proxy in front gives it
 */
export function subnetOf(address: string): string {
  return createHash('sha256').update(networkOf(address)).digest('hex').slice(0, 16)
}

function networkOf(address: string): string {
  // ipaddr alone would take "1" for an address, too.
  if (isIP(address) === 0) return address
  const parsed = ipaddr.process(address)
  const prefix = PREFIX[parsed.kind()]
  const bytes = parsed.toByteArray().map((byte, at) => (at < prefix / 8 ? byte : 0))
  return `${ipaddr.fromByteArray(bytes)}/${prefix}`
}

/** Whether an address is this machine's own. */
export function isLoopback(address: string): boolean {
  return isIP(address) !== 0 && ipaddr.process(address).range() === 'loopback'
}
