import { Refusal } from '../../shared/errors.js'

/** What is said of an approval that there is not. */
export function unknownApproval(id: string): Refusal {
  const hint = 'it was never asked for, or its time has passed; the list has those that can be decided'
  return new Refusal('unknown_approval', `there is no approval ${JSON.stringify(id)}`, hint)
}
