import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/** Bits that tell one customer's network from the next: /24 of IPv4, /48 of IPv6. */
const PREFIX = { ipv4: 24, ipv6: 48 } as const

/**
 * What the daily cap counts by: the caller's network, e.g. `203.0.113.0/24`. An IPv4 address is the same in its IPv6
 * spelling; what is no address stands for itself.
 *
 * @param address as the socket or a proxy in front gives it
 */
export function subnetOf(address: string): string {
  // ipaddr alone would take "1" for an address, too.
  if (isIP(address) === 0) return address
  const parsed = ipaddr.process(address)
  const prefix = PREFIX[parsed.kind()]
  const bytes = parsed.toByteArray().map((byte, at) => (at < prefix / 8 ? byte : 0))
  return `${ipaddr.fromByteArray(bytes)}/${prefix}`
}
