import type { RequestId } from '@modelcontextprotocol/sdk/types.js'
import { type Clock, machineNow } from '../../shared/clock/clock.js'
import { Refusal } from '../../shared/errors.js'
import { argsHash } from '../../shared/journal/entry.js'
import type { Approval } from '../../shared/schemas/approval.js'
import type { AuditEntry, AuditOutcome, UpstreamEnd } from '../../shared/schemas/audit.js'
import { isObject } from '../../shared/util/is-object.js'
import type { Log } from '../../shared/util/log.js'
import type { Approvals } from './approvals.js'
import type { Audit, AuditRecorder } from './audit.js'
import type { Grant } from './grants.js'
import { approvalRequired, type Denial, type DenialAnswer, denialAnswer, type ToolCall } from './messages.js'
import type { DenialText } from './options.js'
import { type Decision, type Settlement, settlementOf } from './policy/model.js'

/** How many names of arguments an audit entry has, and how many characters of each: callers make them up. */
const SHOWN_KEYS = 50
const SHOWN_CHARS = 200

/** The caller, and its request. */
export interface Asker {
  readonly grant: Grant
  readonly session: string | null
  /** Null for a notification. */
  readonly requestId: RequestId | null
  /** Whether it may be held for an approval. A call of a batch would hold the others up. */
  readonly patient: boolean
  /** Whether the request is of the modern era. */
  readonly modern: boolean
  /** The revision of the request; null if it names none, and neither does its session. */
  readonly protocol: string | null
}

/** The decision on a call. */
export type Verdict =
  | { kind: 'pass'; call: JudgedCall }
  | { kind: 'deny'; answer: DenialAnswer }
  /** The call waits for an approval. `withdraw` takes it back when its caller has gone. */
  | { kind: 'hold'; decided: Promise<Settled>; withdraw(): void }

export type Settled = Exclude<Verdict, { kind: 'hold' }>

type Allowed = Extract<Decision, { outcome: 'allow' }>

/** A call that is being judged. */
interface Judging {
  readonly facts: CallFacts
  readonly record: AuditRecorder
  readonly modern: boolean
}

/** Why a call needs an approval. */
type Reason = Pick<Extract<Decision, { outcome: 'approve' }>, 'rule' | 'message' | 'intercept'>

interface GateOptions {
  clock: Clock
  audit: Audit
  approvals: Approvals
  /** How long a call is held for its approval, by the clock; 0 refuses it at once, with the approval's id. */
  holdMs: number
  /** How a denial is worded. */
  denialText: DenialText
  log: Log
}

/** Judges every call by its policy. A call that cannot be judged does not pass. */
export class Gate {
  readonly #options: GateOptions

  constructor(options: GateOptions) {
    this.#options = options
  }

  judge(call: ToolCall, asker: Asker): Verdict {
    const { modern } = asker
    const judging = { facts: this.#factsOf(call, asker), record: this.#options.audit.recorder(), modern }
    const decision = this.#decide(call, asker.grant, false)
    if (decision.outcome === 'allow') return this.#pass(judging, decision, asker.grant)
    if (decision.outcome === 'approve') return this.#approve(call, judging, decision, asker)
    const { rule, message } = decision
    return this.#deny(judging, { outcome: 'denied', rule, message })
  }

  #decide({ tool, args }: ToolCall, grant: Grant, approved: boolean): Decision {
    try {
      return grant.engine.decide({ tool, args, grant: grant.label, approved })
    } catch (error) {
      this.#options.log.error('the policy could not judge a call, which is denied', error)
      return {
        outcome: 'deny',
        rule: '(internal error)',
        message: 'the policy could not be applied to this call',
      }
    }
  }

  #pass(
    judging: Judging,
    decision: Allowed,
    { engine }: Grant,
    reason?: Pick<Reason, 'rule' | 'message'> & { approval: string },
  ): Settled {
    const { approvals } = this.#options
    const outcome = reason === undefined ? 'allowed' : 'approved'
    const settle = (ended: UpstreamEnd) => {
      const settlement = settlementOf(ended, engine)
      decision.settle(settlement)
      // The use of an approval goes the way of quota.
      if (settlement === 'refunded' && reason !== undefined) approvals.giveBack(reason.approval)
      return settlement
    }
    return { kind: 'pass', call: new JudgedCall({ ...judging, outcome, settle, ...reason }) }
  }

  #approve(call: ToolCall, judging: Judging, reason: Reason, asker: Asker): Verdict {
    const { approvals, holdMs, clock } = this.#options
    const { grant, tool, argumentKeys, argsHash } = judging.facts
    const { rule, message, intercept } = reason
    const request = { grant, tool, argumentKeys, argsHash, rule, message }
    const settle = (approval: Approval): Settled => {
      const { id, state } = approval
      if (state === 'used')
        return this.#passApproved(call, judging, { rule, message, approval: id }, asker.grant)
      if (state !== 'pending') {
        const why = `${message} Approval ${id} was ${state}.`
        return this.#deny(judging, { outcome: 'refused', rule, message: why, approval: id })
      }
      const denial = { outcome: 'approval_required' as const, rule, approval: id }
      return intercept === undefined
        ? this.#deny(judging, { ...denial, message: `${message} ${pendingText(approval, clock.now())}` })
        : this.#deny(judging, { ...denial, message }, approvalRequired(approval))
    }
    const before = approvals.decided(request)
    if (before !== undefined) return settle(before)
    let approval: Approval
    try {
      approval = approvals.request(request, intercept)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      return this.#deny(judging, { outcome: 'denied', rule, message: error.sentence })
    }
    // Intercept never holds a call.
    if (holdMs === 0 || !asker.patient || intercept !== undefined) return settle(approval)
    const { id } = approval
    const decided = approvals.wait(approval, holdMs).then(settle)
    return { kind: 'hold', decided, withdraw: () => approvals.withdraw(id) }
  }

  /** The other rules hold for an approved call, too: its quota may be spent by now. */
  #passApproved(
    call: ToolCall,
    judging: Judging,
    reason: Pick<Reason, 'rule' | 'message'> & { approval: string },
    grant: Grant,
  ): Settled {
    const decision = this.#decide(call, grant, true)
    if (decision.outcome === 'allow') return this.#pass(judging, decision, grant, reason)
    const { rule, message } = decision
    return this.#deny(judging, { outcome: 'denied', rule, message, approval: reason.approval })
  }

  /** @param answer to the caller. Default: a tool error */
  #deny(
    { facts, record, modern }: Judging,
    denial: Omit<Denial, 'tool' | 'grant' | 'modern'>,
    answer: DenialAnswer = denialAnswer({ ...facts, ...denial, modern }, this.#options.denialText),
  ): Settled {
    const { rule, message, approval = null } = denial
    const outcome = denial.outcome === 'refused' ? 'refused' : 'denied'
    record({ ...facts, outcome, rule, message, approval, upstream: null })
    return { kind: 'deny', answer }
  }

  #factsOf({ tool, args }: ToolCall, { grant, session, requestId, protocol }: Asker): CallFacts {
    return {
      at: new Date(this.#options.clock.now()).toISOString(),
      grant: grant.label,
      session,
      protocol,
      requestId: typeof requestId === 'string' ? copyOf(requestId) : requestId,
      tool: copyOf(tool),
      argumentKeys: isObject(args) ? Object.keys(args).slice(0, SHOWN_KEYS).map(copyOf) : [],
      argsHash: hashOrNull(args),
    }
  }
}

/** Copies the first characters. A slice would keep the whole text in memory as long as the audit keeps the slice. */
function copyOf(text: string): string {
  return text.length <= SHOWN_CHARS
    ? text
    : Buffer.from(text.slice(0, SHOWN_CHARS), 'utf16le').toString('utf16le')
}

function pendingText({ id, expiresAt }: Approval, now: number): string {
  if (Date.parse(expiresAt) <= now)
    return `Approval ${id} expired without a decision: make the same call again for a new one.`
  return `It needs approval ${id}: once that is given, make the same call again, before ${expiresAt}.`
}

/** Null for arguments nested so deeply (thousands of levels) that they can be read but not written again. */
function hashOrNull(args: unknown): string | null {
  try {
    return argsHash(args)
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

/** The members of an audit entry that are known when a call is judged. */
type CallFacts = Pick<
  AuditEntry,
  'at' | 'grant' | 'session' | 'protocol' | 'requestId' | 'tool' | 'argumentKeys' | 'argsHash'
>

interface Passage {
  readonly facts: CallFacts
  readonly record: AuditRecorder
  readonly outcome: Extract<AuditOutcome, 'allowed' | 'approved'>
  /** Why it needed an approval. */
  readonly rule?: string
  readonly message?: string
  readonly approval?: string
  /** Settles the quota that the call was given. */
  readonly settle: (ended: UpstreamEnd) => Settlement
}

/** A call that is let through. When it ends, its quota is settled and the audit gets it, once. */
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

  /** The upstream has answered. */
  answered(response: Record<string, unknown>, status: number | null): void {
    if (response.error !== undefined && response.error !== null) this.end('rpc_error', status)
    else this.end(isToolError(response.result) ? 'tool_error' : 'result', status)
  }

  /** It has ended in another way. */
  end(ended: UpstreamEnd, status: number | null): void {
    if (this.#ended) return
    this.#ended = true
    const { facts, record, outcome, settle, rule = null, message = null, approval = null } = this.#passage
    const quota = settle(ended)
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
