import type { Socket } from 'node:net'

/** The peer went away in the middle. */
export class Disconnected extends Error {}

/** Reads a socket in exact portions, while both sides still talk in turns. */
export class SocketReader {
  #held: Buffer = Buffer.alloc(0)
  #wake: () => void = () => {}
  #ended = false

  constructor(readonly socket: Socket) {
    socket.on('data', this.#onData)
    socket.on('close', this.#onClose)
  }

  /** The next `size` bytes. */
  async read(size: number): Promise<Buffer> {
    while (this.#held.length < size) {
      if (this.#ended) throw new Disconnected('the client has gone')
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
    const taken = this.#held.subarray(0, size)
    this.#held = this.#held.subarray(size)
    return taken
  }

  /** Lets go of the socket, paused. What has come in and was not read is returned. */
  release(): Buffer {
    this.socket.pause()
    this.socket.off('data', this.#onData)
    this.socket.off('close', this.#onClose)
    return this.#held
  }

  readonly #onData = (bytes: Buffer) => {
    this.#held = Buffer.concat([this.#held, bytes])
    this.#wake()
  }

  readonly #onClose = () => {
    this.#ended = true
    this.#wake()
  }
}
