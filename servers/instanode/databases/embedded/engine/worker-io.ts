import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import { CELL, type EngineCommand, MAX_IN_FLIGHT_BYTES } from './channel.js'

/**
 * Bytes of output that are posted in one message. Postgres flushes every 8 KB, and eight times fewer messages
 * cost less.
 */
const PIECE_BYTES = 64 * 1024

/**
 * The input of Postgres: the messages of a run, and then more data from the client if a statement asks for it
 * (COPY). The thread blocks while it waits for data, as a process of Postgres blocks in `recv`.
 */
export class Input {
  #pending: Uint8Array = new Uint8Array(0)

  /**
   * @param port receives the `feed` messages
   * @param cells the shared cells, of which `fed` counts these messages
   * @param inputWanted tells the main thread that a statement waits for input
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

  /** Returns up to `maxBytes` bytes of input. Blocks the thread until there is input. */
  take(maxBytes: number): Uint8Array {
    if (this.empty) this.#wait()
    const bytes = this.#pending.subarray(0, maxBytes)
    this.#pending = this.#pending.subarray(bytes.length)
    return bytes
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

/**
 * Collects the output of Postgres and posts it in pieces. Blocks the thread while too much output is in
 * flight.
 */
export class Output {
  #pieces: Uint8Array[] = []
  #size = 0

  /**
   * @param cells the shared cells, of which `inFlight` counts the posted bytes
   * @param post sends a piece to the main thread
   * @param interrupted returns true if the statement was cancelled. Then nothing blocks, so that the
   *   statement can end.
   */
  constructor(
    readonly cells: Int32Array,
    readonly post: (bytes: Uint8Array<ArrayBuffer>) => void,
    readonly interrupted: () => boolean,
  ) {}

  /** Adds output. @param bytes a view into the engine's memory, which is copied here */
  write(bytes: Uint8Array): void {
    this.#pieces.push(bytes.slice())
    this.#size += bytes.length
    if (this.#size < PIECE_BYTES) return
    this.flush()
    for (;;) {
      const inFlight = Atomics.load(this.cells, CELL.inFlight)
      if (inFlight < MAX_IN_FLIGHT_BYTES || this.interrupted()) return
      // The wait ends ten times a second, because a cancel changes another cell.
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
