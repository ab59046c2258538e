import { CELL, MOST_IN_FLIGHT } from './channel.js'

/** Postgres flushes every 8 KB; posting larger pieces to the main thread costs an eighth. */
const PIECE = 64 * 1024

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
