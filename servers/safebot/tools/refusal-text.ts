import type { Refusal } from '../../../shared/errors.js'
import { ServiceRefusal } from '../domain/refusals.js'

/** What each tool calls the request it makes of the service. */
const REQUESTS: Record<string, string> = {
  send_message: 'send',
  claim_task: 'claim',
  next_task: 'claim',
  ack_task: 'ack',
}

/** A failed tool call in the client's words: `<tool> failed: <message>`, quoting the service's answer. */
export function refusalText(tool: string, refusal: Refusal): string {
  if (!(refusal instanceof ServiceRefusal)) return `${tool} failed: ${refusal.sentence}`
  const request = REQUESTS[tool]
  return request === undefined
    ? `${tool} failed: HTTP ${refusal.status}: ${JSON.stringify(refusal.body)}`
    : `${tool} failed: ${serviceSentence(request, refusal)} — ${refusal.hint}`
}

/** `ack failed: 409 {"error":…}`. */
export function serviceSentence(request: string, { status, body }: ServiceRefusal): string {
  return `${request} failed: ${status} ${JSON.stringify(body)}`
}
