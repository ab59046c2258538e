import { type Call, nameOf } from './call-log.js'

export interface CallFilter {
  /** What has to be in the caller, the tool or the method. */
  text: string
  /** Whether calls of tools alone are wanted. */
  toolsOnly: boolean
  /** Whether only those are wanted that did not end well. */
  failedOnly: boolean
}

export const EVERYTHING: CallFilter = { text: '', toolsOnly: false, failedOnly: false }

/** The calls that a filter lets pass, the newest first. */
export function filtered(calls: readonly Call[], { text, toolsOnly, failedOnly }: CallFilter): Call[] {
  const wanted = text.trim().toLowerCase()
  const passed: Call[] = []
  for (let at = calls.length - 1; at >= 0; at--) {
    const call = calls[at]
    if (call === undefined) continue
    const { entry } = call
    if (toolsOnly && entry.tool === null) continue
    if (failedOnly && (entry.outcome === null || entry.outcome === 'ok')) continue
    if (wanted !== '' && !`${entry.caller} ${nameOf(entry)} ${entry.server}`.toLowerCase().includes(wanted))
      continue
    passed.push(call)
  }
  return passed
}
