import { Refusal } from '../../shared/errors.js'

/** A command line that cannot be carried out as it stands: exit code 2. */
export class UsageError extends Refusal {
  override readonly name = 'UsageError'

  constructor(reason: string, hint = 'understudy --help lists the commands') {
    super('usage', reason, hint)
  }
}

/** Runs a reader of the command line: its refusals become usage errors. */
export function asUsage<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw error instanceof Refusal ? new UsageError(error.reason, error.hint) : error
  }
}
