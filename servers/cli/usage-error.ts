import { Refusal } from '../../shared/errors.js'

/** Thrown for a wrong command line. The command then ends with exit code 2. */
export class UsageError extends Refusal {
  override readonly name = 'UsageError'

  constructor(reason: string, hint = 'understudy --help prints the commands') {
    super('usage', reason, hint)
  }
}

/** Runs a function that reads a part of the command line. Converts its refusals to usage errors. */
export function asUsage<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw error instanceof Refusal ? new UsageError(error.reason, error.hint) : error
  }
}
