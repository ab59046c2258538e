import { APPROVAL_TTL_MS } from '../gateway/approvals.js'
import { type Given, UsageError } from './options.js'

const MOST_SECONDS = APPROVAL_TTL_MS / 1000

/**
 * How long a call is held for its approval, in milliseconds.
 *
 * @throws UsageError
 */
export function readApprovalHold(given: Given): number {
  const text = given.text('approval-hold') ?? '0'
  const seconds = Number(text)
  if (/^\d+$/.test(text) && seconds <= MOST_SECONDS) return seconds * 1000
  throw new UsageError(
    `--approval-hold is ${JSON.stringify(text)}`,
    `give whole seconds, 0 to ${MOST_SECONDS}: so long an approval lasts`,
  )
}
