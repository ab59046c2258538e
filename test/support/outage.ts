import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** A way to a PostgreSQL that can be cut and mended, as if its server were gone for a while. */
export interface Way {
  /** The URL by this way. */
  readonly url: string
  /** Ends every connection, and refuses new ones. */
  cut(): Promise<void>
  mend(): Promise<void>
}

/** A way to where `url` points; gone when the test is over. */
export async function wayTo(url: string): Promise<Way> {
  const target = new URL(url)
  const sockets = new Set<Socket>()
  let server = await listen(0)
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('the way has no port')
  const { port } = address

  async function listen(at: number): Promise<Server> {
    const listening = createServer(socket => {
      const on = connect(Number(target.port), target.hostname)
      for (const [one, other] of [
        [socket, on],
        [on, socket],
      ] as const) {
        sockets.add(one)
        one.pipe(other)
        one.on('error', () => other.destroy())
        one.on('close', () => {
          sockets.delete(one)
          other.destroy()
        })
      }
    }).listen(at, '127.0.0.1')
    await once(listening, 'listening')
    return listening
  }
  const cut = async () => {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    for (const socket of sockets) socket.destroy()
    await closed
  }
  onTestFinished(cut)
  const here = new URL(url)
  here.host = `127.0.0.1:${port}`
  return {
    url: here.href,
    cut,
    async mend() {
      server = await listen(port)
    },
  }
}
