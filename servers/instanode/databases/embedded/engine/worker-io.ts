import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import { CELL, type EngineOrder, MOST_IN_FLIGHT } from './channel.js'

/** Postgres flushes every 8 KB; posting larger pieces to the main thread costs an eighth. */
const PIECE = 64 * 1024

/**
 * What Postgres reads from: the bytes of a run, then, if a statement asks for more (COPY), what the client sends
 * meanwhile. The thread stops for it, as a backend process would in `recv`.
 */
export class Input {
  #pending: Uint8Array = new Uint8Array(0)

  /**
   * @param port where more input comes from
   * @param cells counts what was fed
   * @param hungry tells the session that input is waited for
   */
  constructor(
    readonly port: MessagePort,
    readonly cells: Int32Array,
    readonly hungry: () => void,
  ) {}

  get empty(): boolean {
    return this.#pending.length === 0
  }

  give(bytes: Uint8Array): void {
    this.#pending = bytes
  }

  /** Up to `most` bytes; blocks until there are some. */
  take(most: number): Uint8Array {
    if (this.empty) this.#wait()
    const taken = this.#pending.subarray(0, most)
    this.#pending = this.#pending.subarray(taken.length)
    return taken
  }

  #wait(): void {
    this.hungry()
    for (;;) {
      const seen = Atomics.load(this.cells, CELL.fed)
      const received: { message: EngineOrder } | undefined = receiveMessageOnPort(this.port)
      if (received?.message.kind === 'feed') {
        this.#pending = received.message.bytes
        if (!this.empty) return
      } else Atomics.wait(this.cells, CELL.fed, seen)
    }
  }
}

/** Collects what Postgres writes and posts it in pieces, holding Postgres back while the client does not read. */
export class Output {
  #pieces: Uint8Array[] = []
  #size = 0

  /** @param interrupted asked while held back: a cancelled statement is let go on, so that it can end */
  constructor(
    readonly cells: Int32Array,
    readonly post: (bytes: Uint8Array<ArrayBuffer>) => void,
    readonly interrupted: () => boolean,
  ) {}

  /** @param bytes a view into the engine's memory; copied */
  write(bytes: Uint8Array): void {
    this.#pieces.push(bytes.slice())
    this.#size += bytes.length
    if (this.#size < PIECE) return
    this.flush()
    for (;;) {
      const inFlight = Atomics.load(this.cells, CELL.inFlight)
      if (inFlight < MOST_IN_FLIGHT || this.interrupted()) return
      // Looks up ten times a second, since a cancel does not notify this cell.
      Atomics.wait(this.cells, CELL.inFlight, inFlight, 100)
    }
  }

  flush(): void {
    if (this.#size === 0) return
    const bytes = new Uint8Array(this.#size)
    let at = 0
    for (const piece of this.#pieces) {
      bytes.set(piece, at)
      at += piece.length
    }
    this.#pieces = []
    this.#size = 0
    Atomics.add(this.cells, CELL.inFlight, bytes.length)
    this.post(bytes)
  }
}
