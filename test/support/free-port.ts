import { once } from 'node:events'
import { createServer } from 'node:net'

/** A port that nobody listens on, for a program that does not tell which one it picked. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port was given')
  return address.port
}
