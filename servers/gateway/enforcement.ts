import type { RequestId } from '@modelcontextprotocol/sdk/types.js'
import { type Clock, machineNow } from '../../shared/clock/clock.js'
import { Refusal } from '../../shared/errors.js'
import { argsHash } from '../../shared/journal/entry.js'
import type { Approval } from '../../shared/schemas/approval.js'
import type { AuditEntry, AuditOutcome, UpstreamEnd } from '../../shared/schemas/audit.js'
import type { Log } from '../../shared/util/log.js'
import { isObject } from '../../shared/util/objects.js'
import type { Approvals } from './approvals.js'
import type { Audit, AuditRecorder } from './audit.js'
import type { Grant } from './grants.js'
import { approvalRequired, type Denial, type DenialAnswer, denialAnswer, type ToolCall } from './messages.js'
import type { DenialText } from './options.js'
import { type Decision, type Settlement, settlementOf } from './policy/model.js'

/**
 * Maximum number of argument names in an audit entry. A caller can send any number of arguments.
 */
const MAX_SHOWN_KEYS = 50
/** Maximum length of a name or a request id in an audit entry, in characters. */
const MAX_SHOWN_CHARS = 200

/** The caller of a tool call, and the properties of the request that contains the call. */
export interface CallContext {
  readonly grant: Grant
  readonly session: string | null
  /** The request id. Null for a notification. */
  readonly requestId: RequestId | null
  /**
   * True if the call can wait for an approval. A call in a batch cannot, because it would delay the others.
   */
  readonly canWait: boolean
  /** Whether the request is of the modern era. */
  readonly modern: boolean
  /** The protocol revision of the request or of its session. Null if neither names a revision. */
  readonly protocol: string | null
}

/** The decision of the policy about a call. */
export type Verdict =
  | { kind: 'pass'; call: JudgedCall }
  | { kind: 'deny'; answer: DenialAnswer }
  /** The call waits for an approval. `withdraw` must be called when the caller disconnects. */
  | { kind: 'hold'; decided: Promise<Settled>; withdraw(): void }

export type Settled = Exclude<Verdict, { kind: 'hold' }>

type Allowed = Extract<Decision, { outcome: 'allow' }>

/** A call that the policy is judging. */
interface Judging {
  readonly facts: CallFacts
  readonly record: AuditRecorder
  readonly modern: boolean
}

/** The rule because of which a call needs an approval. */
type Reason = Pick<Extract<Decision, { outcome: 'approve' }>, 'rule' | 'message' | 'intercept'>

interface EnforcementOptions {
  clock: Clock
  audit: Audit
  approvals: Approvals
  /**
   * Maximum time for which a call waits for its approval, in milliseconds of the clock. With 0, the call is
   * denied immediately, and the denial names the approval.
   */
  holdMs: number
  /** The wording of denials. */
  denialText: DenialText
  log: Log
}

/** Applies the policy of the caller's grant to every call. If the policy fails, the call is denied. */
export class Enforcement {
  readonly #options: EnforcementOptions

  constructor(options: EnforcementOptions) {
    this.#options = options
  }

  judge(call: ToolCall, context: CallContext): Verdict {
    const { modern } = context
    const judging = { facts: this.#factsOf(call, context), record: this.#options.audit.recorder(), modern }
    const decision = this.#decide(call, context.grant, false)
    if (decision.outcome === 'allow') return this.#pass(judging, decision, context.grant)
    if (decision.outcome === 'approve') return this.#approve(call, judging, decision, context)
    const { rule, message } = decision
    return this.#deny(judging, { outcome: 'denied', rule, message })
  }

  #decide({ tool, args }: ToolCall, grant: Grant, approved: boolean): Decision {
    try {
      return grant.engine.decide({ tool, args, grant: grant.label, approved })
    } catch (error) {
      this.#options.log.error('a call was denied because its policy failed', error)
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
      // If the quota of the call is given back, its approval can also be used again.
      if (settlement === 'refunded' && reason !== undefined) approvals.giveBack(reason.approval)
      return settlement
    }
    return { kind: 'pass', call: new JudgedCall({ ...judging, outcome, settle, ...reason }) }
  }

  #approve(call: ToolCall, judging: Judging, reason: Reason, context: CallContext): Verdict {
    const { approvals, holdMs, clock } = this.#options
    const { grant, tool, argumentKeys, argsHash } = judging.facts
    const { rule, message, intercept } = reason
    const request = { grant, tool, argumentKeys, argsHash, rule, message }
    const settle = (approval: Approval): Settled => {
      const { id, state } = approval
      if (state === 'used')
        return this.#passApproved(call, judging, { rule, message, approval: id }, context.grant)
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
    if (holdMs === 0 || !context.canWait || intercept !== undefined) return settle(approval)
    const { id } = approval
    const decided = approvals.wait(approval, holdMs).then(settle)
    return { kind: 'hold', decided, withdraw: () => approvals.withdraw(id) }
  }

  /**
   * Judges an approved call by the other rules. They can still deny the call, for example if its quota has
   * been used up meanwhile.
   */
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

  /** @param answer the answer to the caller. Default: a tool error with the message of the denial */
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

  #factsOf({ tool, args }: ToolCall, { grant, session, requestId, protocol }: CallContext): CallFacts {
    return {
      at: new Date(this.#options.clock.now()).toISOString(),
      grant: grant.label,
      session,
      protocol,
      requestId: typeof requestId === 'string' ? shortCopy(requestId) : requestId,
      tool: shortCopy(tool),
      argumentKeys: isObject(args) ? Object.keys(args).slice(0, MAX_SHOWN_KEYS).map(shortCopy) : [],
      argsHash: hashOrNull(args),
    }
  }
}

/**
 * Copies the first characters of a text. `slice` alone would return a reference to the whole text, which
 * would then stay in memory as long as the audit entry.
 */
function shortCopy(text: string): string {
  return text.length <= MAX_SHOWN_CHARS
    ? text
    : Buffer.from(text.slice(0, MAX_SHOWN_CHARS), 'utf16le').toString('utf16le')
}

function pendingText({ id, expiresAt }: Approval, now: number): string {
  if (Date.parse(expiresAt) <= now)
    return `Approval ${id} expired without a decision. Make the same call again to request a new approval.`
  return `The call needs approval ${id}. After the approval, make the same call again, before ${expiresAt}.`
}

/**
 * Returns a hash of the arguments. Returns null for arguments with thousands of levels, which cannot be
 * formatted as JSON.
 */
function hashOrNull(args: unknown): string | null {
  try {
    return argsHash(args)
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

/** The members of an audit entry that are known before the policy decides. */
type CallFacts = Pick<
  AuditEntry,
  'at' | 'grant' | 'session' | 'protocol' | 'requestId' | 'tool' | 'argumentKeys' | 'argsHash'
>

interface JudgedCallOptions {
  readonly facts: CallFacts
  readonly record: AuditRecorder
  readonly outcome: Extract<AuditOutcome, 'allowed' | 'approved'>
  /**
   * The name of the rule that required an approval. The next two members are its message and the approval id.
   */
  readonly rule?: string
  readonly message?: string
  readonly approval?: string
  /** Settles the quota that was reserved for the call. */
  readonly settle: (ended: UpstreamEnd) => Settlement
}

/**
 * A call that the policy has allowed. When the call ends, it settles its quota and records one audit entry.
 */
export class JudgedCall {
  readonly #options: JudgedCallOptions
  readonly #startedMs = machineNow()
  #ended = false
  #journalEntry: number | null = null

  constructor(options: JudgedCallOptions) {
    this.#options = options
  }

  get requestId(): RequestId | null {
    return this.#options.facts.requestId
  }

  /** Stores the `seq` of this call's entry in the journal of the upstream. */
  storeEntry(seq: number): void {
    this.#journalEntry = seq
  }

  /** Ends the call with the upstream's answer. */
  answered(response: Record<string, unknown>, status: number | null): void {
    if (response.error !== undefined && response.error !== null) this.end('rpc_error', status)
    else this.end(isToolError(response.result) ? 'tool_error' : 'result', status)
  }

  /** Ends the call. A call that has already ended does not change. */
  end(ended: UpstreamEnd, status: number | null): void {
    if (this.#ended) return
    this.#ended = true
    const { facts, record, outcome, settle, rule = null, message = null, approval = null } = this.#options
    const quota = settle(ended)
    const latencyMs = Math.round((machineNow() - this.#startedMs) * 1000) / 1000
    record({
      ...facts,
      outcome,
      rule,
      message,
      approval,
      upstream: { ended, status, latencyMs, quota, entry: this.#journalEntry },
    })
  }
}

function isToolError(result: unknown): boolean {
  return typeof result === 'object' && result !== null && 'isError' in result && result.isError === true
}
