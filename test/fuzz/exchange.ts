import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** Milliseconds: how long an answer may take to begin, and how long one that has begun may pause before it counts as over. */
const PATIENCE = { begin: 2_000, pause: 60, unfinished: 40 } as const

/**
 * Sends bytes and collects the answer.
 *
 * @param complete whether an answer is due; what is not whole is only waited for a moment, and left
 * @returns the bytes that came, once the peer has closed, or has paused
 */
export async function exchange(socket: Socket, bytes: Buffer, complete: boolean): Promise<Buffer> {
  const answer: Buffer[] = []
  await new Promise<void>(resolve => {
    let timer = setTimeout(resolve, complete ? PATIENCE.begin : PATIENCE.unfinished)
    const over = () => {
      clearTimeout(timer)
      resolve()
    }
    socket.on('error', over).once('close', over)
    socket.on('data', (piece: Buffer) => {
      answer.push(piece)
      clearTimeout(timer)
      timer = setTimeout(resolve, PATIENCE.pause)
    })
    socket.write(bytes)
  })
  socket.destroy()
  return Buffer.concat(answer)
}

/** Opens a connection to this machine. @throws Error if nothing listens there */
export async function dial(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  return socket
}
