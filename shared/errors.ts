/**
 * A request the product turns down, in words its reader can act on: what failed with which value, and what to
 * do. Its message is safe to show to the caller; any other error is a fault of ours and is not.
 */
export class Refusal extends Error {
  override readonly name: string = 'Refusal'

  /**
   * `message` is the reason and the hint in one line, because a test runner prints nothing else of an error.
   *
   * @param code stable, `snake_case`
   * @param reason the failure, with the value
   * @param hint the remedy
   */
  constructor(
    readonly code: string,
    readonly reason: string,
    readonly hint?: string,
  ) {
    super(hint === undefined ? reason : `${reason}: ${hint}`)
  }

  /** The same as `message`. */
  get sentence(): string {
    return this.message
  }
}

/**
 * Returns whether an error says that the store is unavailable, so that the caller may retry. Checks the code,
 * so that no caller has to load the store.
 */
export function isUnavailable(error: unknown): error is Refusal {
  return error instanceof Refusal && error.code === 'store_unavailable'
}

/** A call that waits is answered with this when the instance is reset, or a snapshot restored. */
export function wasReset(): Refusal {
  return new Refusal(
    'reset',
    'the server was put back to another state while the call was waiting',
    'it has changed nothing; look at what there is now, and call again',
  )
}

/** Whether a store went away before it said whether something was kept: it may be there. */
export function isUnsure(error: unknown): boolean {
  return isUnavailable(error) && 'unsure' in error && error.unsure === true
}
