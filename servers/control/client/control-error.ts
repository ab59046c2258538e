import { Refusal } from '../../../shared/errors.js'

/** What the control plane has refused, or why it could not be asked (status 0). */
export class ControlError extends Refusal {
  override readonly name = 'ControlError'

  /** @param status HTTP; 0: there was no answer */
  constructor(
    readonly status: number,
    code: string,
    message: string,
    hint?: string,
  ) {
    super(code, message, hint)
  }
}
