import type { MessagePort } from 'node:worker_threads'
import { receiveMessageOnPort } from 'node:worker_threads'
import { CELL, type EngineOrder } from './channel.js'

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
