import type { RequestId } from '@modelcontextprotocol/sdk/types.js'
import { machineNow } from '../../shared/clock/clock.js'
import type { AuditEntry, AuditOutcome, UpstreamEnd } from '../../shared/schemas/audit.js'
import type { AuditRecorder } from './audit.js'
import type { Settlement } from './policy/model.js'

/** What is known of a call when it is judged. */
export type CallFacts = Pick<
  AuditEntry,
  'at' | 'grant' | 'session' | 'requestId' | 'tool' | 'argumentKeys' | 'argsHash'
>

export interface Passage {
  readonly facts: CallFacts
  readonly record: AuditRecorder
  readonly outcome: Extract<AuditOutcome, 'allowed' | 'approved'>
  /** Why it needed an approval. */
  readonly rule?: string
  readonly message?: string
  readonly approval?: string
  /** Settles the quota that the call was given. */
  readonly settle: (answer: Settlement) => void
}

/** A call that is let through: its quota is settled and the audit has it once it has ended, and only once. */
export class JudgedCall {
  readonly #passage: Passage
  readonly #startedMs = machineNow()
  #ended = false
  #entry: number | null = null

  constructor(passage: Passage) {
    this.#passage = passage
  }

  get requestId(): RequestId | null {
    return this.#passage.facts.requestId
  }

  /** The upstream says where its journal has the call. @param seq of the entry */
  stamped(seq: number): void {
    this.#entry = seq
  }

  /** The upstream has answered. Only what it calls an error of the protocol gives the quota back. */
  answered(response: Record<string, unknown>, status: number | null): void {
    if (response.error !== undefined && response.error !== null) this.end('rpc_error', status)
    else this.end(isToolError(response.result) ? 'tool_error' : 'result', status)
  }

  /** It has ended in another way. */
  end(ended: UpstreamEnd, status: number | null): void {
    if (this.#ended) return
    this.#ended = true
    const { facts, record, outcome, settle, rule = null, message = null, approval = null } = this.#passage
    const quota = ended === 'rpc_error' ? 'refunded' : 'kept'
    settle(quota)
    const latencyMs = Math.round((machineNow() - this.#startedMs) * 1000) / 1000
    record({
      ...facts,
      outcome,
      rule,
      message,
      approval,
      upstream: { ended, status, latencyMs, quota, entry: this.#entry },
    })
  }
}

function isToolError(result: unknown): boolean {
  return typeof result === 'object' && result !== null && 'isError' in result && result.isError === true
}
