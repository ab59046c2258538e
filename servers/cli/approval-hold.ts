import { type Given, UsageError } from './options.js'

/**
 * How long a call is held for its approval, in milliseconds.
 *
 * @throws UsageError
 */
export function readApprovalHold(given: Given): number {
  const text = given.text('approval-hold') ?? '0'
  const seconds = Number(text)
  if (/^\d+$/.test(text) && seconds <= 3600) return seconds * 1000
  throw new UsageError(`--approval-hold is ${JSON.stringify(text)}`, 'give whole seconds, 0 to 3600')
}
