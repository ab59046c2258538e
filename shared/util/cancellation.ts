/**
 * Whether a call has been cancelled, for the handler that runs it.
 *
 * The signal is made when it is first asked for: making one costs as much as a whole call that never waits.
 */
export class Cancellation {
  #controller: AbortController | undefined
  #reason: string | undefined

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#reason !== undefined) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  /** Cancels the call; only the first time counts. */
  cancel(reason: string): void {
    if (this.#reason !== undefined) return
    this.#reason = reason
    this.#controller?.abort(reason)
  }
}
