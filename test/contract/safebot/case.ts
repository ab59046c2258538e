import type { RawAnswer } from '../../support/clients/raw-http.js'
import type { SafebotAgent } from '../../support/clients/safebot-agent.js'
import type { RunningSafebot } from '../../support/servers/safebot.js'

/** The agents and the room that requests use: two registered agents, one unregistered agent, and a room that no agent has opened. */
export interface World extends RunningSafebot {
  alice: SafebotAgent
  bob: SafebotAgent
  carol: SafebotAgent
  room: string
}

/** One request, and what is to come back. */
export interface Case {
  /** The request, in words. */
  request: string
  send(world: World): Promise<RawAnswer>
  status: number
  /** The whole body; what is not known beforehand as a matcher. */
  body: unknown
  headers?: Record<string, unknown>
}

/** An answer that says what is wrong. */
export function refused(request: string, status: number, error: string, send: Case['send']): Case {
  return { request, status, body: { error }, send }
}

/** Ways to write a signature that are not canonical, or not in the usual alphabet, and good all the same. */
export const LAX_SIGNATURES: readonly [how: string, write: (sig: string) => string][] = [
  ['without its padding', sig => sig.replace(/=+$/, '')],
  ['with characters behind it', sig => `${sig}junk`],
  ['in the URL-safe alphabet', sig => sig.replaceAll('+', '-').replaceAll('/', '_')],
]
