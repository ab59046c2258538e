import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** Something that listens where a service is expected, and answers as a test wants. Gone when the test is over. */
export async function fakeService(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer(answer)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  })
  const { port } = server.address() as AddressInfo
  return `http://127.0.0.1:${port}`
}

/** Where nothing listens. No test can be given that port, unlike one that was free a moment ago. */
export const DEAD_BASE = 'http://127.0.0.1:2'

/** A room's URL at a base. */
export function roomAt(base: string): string {
  return `${base}/room/ABCDEF#k=${Buffer.alloc(32, 7).toString('base64url')}`
}
