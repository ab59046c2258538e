import { Refusal } from '../../shared/errors.js'

/** Thrown for a wrong command line. The exit code is 2. */
export class UsageError extends Refusal {
  override readonly name = 'UsageError'

  constructor(reason: string, hint = 'understudy --help lists the commands') {
    super('usage', reason, hint)
  }
}

/** Runs a function that reads a part of the command line. Turns its refusals into usage errors. */
export function asUsage<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw error instanceof Refusal ? new UsageError(error.reason, error.hint) : error
  }
}
