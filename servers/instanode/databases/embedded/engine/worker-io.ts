import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import { CELL, type EngineCommand, MAX_IN_FLIGHT_BYTES } from './channel.js'

/** Bytes per posted piece. Postgres flushes every 8 KB. Larger pieces cost an eighth of that. */
const PIECE_BYTES = 64 * 1024

/**
 * The input of Postgres: the bytes of a run, and then the client's data if a statement asks for more (COPY).
 * The thread blocks meanwhile, as a backend process blocks in `recv`.
 */
export class Input {
  #pending: Uint8Array = new Uint8Array(0)

  /**
   * @param port source of more input
   * @param cells counts the inputs that were sent
   * @param inputWanted tells the session that a statement waits for input
   */
  constructor(
    readonly port: MessagePort,
    readonly cells: Int32Array,
    readonly inputWanted: () => void,
  ) {}

  get empty(): boolean {
    return this.#pending.length === 0
  }

  give(bytes: Uint8Array): void {
    this.#pending = bytes
  }

  /** Returns up to `maxBytes` bytes. Blocks until there are some. */
  take(maxBytes: number): Uint8Array {
    if (this.empty) this.#wait()
    const taken = this.#pending.subarray(0, maxBytes)
    this.#pending = this.#pending.subarray(taken.length)
    return taken
  }

  #wait(): void {
    this.inputWanted()
    for (;;) {
      const seen = Atomics.load(this.cells, CELL.fed)
      const received: { message: EngineCommand } | undefined = receiveMessageOnPort(this.port)
      if (received?.message.kind === 'feed') {
        this.#pending = received.message.bytes
        if (!this.empty) return
      } else Atomics.wait(this.cells, CELL.fed, seen)
    }
  }
}

/** Collects the output of Postgres and posts it in pieces. Blocks Postgres while the client does not read. */
export class Output {
  #pieces: Uint8Array[] = []
  #size = 0

  /**
   * @param interrupted returns true if the statement was cancelled. Postgres then continues, so that the
   *   statement
   *   can end.
   */
  constructor(
    readonly cells: Int32Array,
    readonly post: (bytes: Uint8Array<ArrayBuffer>) => void,
    readonly interrupted: () => boolean,
  ) {}

  /** @param bytes a view into the engine's memory, which is copied */
  write(bytes: Uint8Array): void {
    this.#pieces.push(bytes.slice())
    this.#size += bytes.length
    if (this.#size < PIECE_BYTES) return
    this.flush()
    for (;;) {
      const inFlight = Atomics.load(this.cells, CELL.inFlight)
      if (inFlight < MAX_IN_FLIGHT_BYTES || this.interrupted()) return
      // Wakes ten times a second, because a cancel does not notify this cell.
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
