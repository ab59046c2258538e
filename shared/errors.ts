/**
 * The error for a request that is refused. It says what failed, with the value, and what to do. The caller
 * may see its message. The messages of all other errors are hidden from the caller, because such errors are
 * defects of this project.
 */
export class Refusal extends Error {
  override readonly name: string = 'Refusal'

  /**
   * Sets `message` to the reason and the hint in one line, because test runners print only the message of an
   * error.
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
 * Returns whether an error says that the store is unavailable. If so, a retry can succeed. Only the code of
 * the error is compared, so that callers need not import the code of the store.
 */
export function isUnavailable(error: unknown): error is Refusal {
  return error instanceof Refusal && error.code === 'store_unavailable'
}

/** Returns the refusal for a call that was waiting when the instance was reset or a snapshot was restored. */
export function wasReset(): Refusal {
  return new Refusal(
    'reset',
    'the server was put back to another state while the call was waiting',
    'the call has changed nothing, so look at the current state and call again',
  )
}

/**
 * Returns whether the store became unavailable before it confirmed a change. It is unknown whether such a
 * change was stored.
 */
export function isUnsure(error: unknown): boolean {
  return isUnavailable(error) && 'unsure' in error && error.unsure === true
}
