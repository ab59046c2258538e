import type { Clock, Wakeup } from '../../shared/clock/clock.js'
import { Refusal } from '../../shared/errors.js'
import { approvalRoutes, unknownApproval } from '../../shared/http/approval-routes.js'
import { Listener } from '../../shared/http/listener.js'
import type { IdPositions, IdSource } from '../../shared/ids.js'
import type { ListenOptions } from '../../shared/mcp/http/serve.js'
import type { Approval, ApprovalDecision, ApprovalState } from '../../shared/schemas/approval.js'
import type { Log } from '../../shared/util/log.js'
import { APPROVAL_TTL_MS } from './options.js'

/** Maximum number of stored approvals. An agent in a loop must not fill the memory with requests. */
const MAX_APPROVALS = 1000

/** The parts of a call that its approval shows. */
export type ApprovalRequest = Pick<
  Approval,
  'grant' | 'tool' | 'argumentKeys' | 'argsHash' | 'rule' | 'message'
>

/** The time limits of an approval. */
export interface ApprovalTerms {
  /** The time in which the approval can be decided and used, in milliseconds from the request. */
  readonly timeoutMs: number
  /** The time in which the same call gets the pending approval again, in milliseconds from the request. */
  readonly dedupeMs: number
}

/** The terms of approvals in this project's own form. */
export const OWN_TERMS: ApprovalTerms = { timeoutMs: APPROVAL_TTL_MS, dedupeMs: APPROVAL_TTL_MS }

interface Open {
  approval: Approval
  expiresAtMs: number
  /** The time from which the same call requests a new approval. */
  dedupeUntilMs: number
  /** Ends the wait of the held call. Undefined if no call is held for the approval. */
  waiting: (() => void) | undefined
  hold: Wakeup | undefined
}

/** The approvals at one moment, as plain data. */
export interface ApprovalsSnapshot {
  readonly approvals: readonly Readonly<Pick<Open, 'approval' | 'expiresAtMs' | 'dedupeUntilMs'>>[]
  readonly ids: IdPositions
}

export interface ApprovalsOptions {
  clock: Clock
  ids: IdSource
}

/**
 * Keeps the requests for approval and the decisions on them.
 *
 * An approval is `pending` until it is decided. `decide` changes the state to `approved` or `refused`. If a
 * call is held for the approval, `decide` changes the state to `used` instead of `approved`. The next
 * identical call changes `approved` to `used`. A failure of that call changes `used` back to `approved`.
 * `withdraw` changes `pending` to `withdrawn`. An expired approval is removed.
 */
export class Approvals {
  readonly #clock: Clock
  readonly #ids: IdSource
  readonly #open = new Map<string, Open>()
  readonly #listeners = new Set<(approval: Approval) => void>()

  constructor({ clock, ids }: ApprovalsOptions) {
    this.#clock = clock
    this.#ids = ids
  }

  /** Returns all stored approvals, the oldest first. */
  list(): Approval[] {
    this.#forget()
    return [...this.#open.values()].map(({ approval }) => approval)
  }

  /**
   * Calls `listener` whenever an approval is requested, changed or restored. The returned function ends the
   * subscription.
   */
  subscribe(listener: (approval: Approval) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Decides a pending approval. A held call passes or is refused immediately. Without a held call, the
   * decision applies to the next identical call.
   *
   * @throws Refusal `unknown_approval`, or `approval_decided` if the approval is no longer pending
   */
  decide(id: string, decision: ApprovalDecision): Approval {
    this.#forget()
    const open = this.#open.get(id)
    if (open === undefined) throw unknownApproval(id)
    const { state } = open.approval
    if (state !== 'pending') {
      throw new Refusal(
        'approval_decided',
        `approval ${id} is ${state} already`,
        'have the call made again for a new one',
      )
    }
    const approve = decision === 'approve'
    // A call that is held for the approval uses the approval up.
    const approved = open.waiting === undefined ? 'approved' : 'used'
    this.#become(open, approve ? approved : 'refused')
    this.#wake(open)
    return open.approval
  }

  /**
   * Returns the decision on a call, if there is one. The call uses an approval up. A refusal stays valid
   * until it expires.
   */
  decided(request: ApprovalRequest): Approval | undefined {
    this.#forget()
    for (const open of this.#open.values()) {
      const { state } = open.approval
      if ((state !== 'approved' && state !== 'refused') || !sameCall(open.approval, request)) continue
      if (state === 'approved') this.#become(open, 'used')
      return open.approval
    }
    return undefined
  }

  /**
   * Makes a used approval valid for another call, because the upstream has failed the call that used the
   * approval.
   */
  giveBack(id: string): void {
    this.#forget()
    const open = this.#open.get(id)
    if (open?.approval.state === 'used') this.#become(open, 'approved')
  }

  /**
   * Requests an approval. Within the dedupe window, the same call gets the pending approval again.
   *
   * @throws Refusal `too_many_approvals`
   */
  request(request: ApprovalRequest, { timeoutMs, dedupeMs }: ApprovalTerms = OWN_TERMS): Approval {
    this.#forget()
    for (const { approval, waiting, dedupeUntilMs } of this.#open.values()) {
      const found = approval.state === 'pending' && waiting === undefined && this.#clock.now() < dedupeUntilMs
      if (found && sameCall(approval, request)) return approval
    }
    if (this.#open.size >= MAX_APPROVALS) this.#dropSettled()
    if (this.#open.size >= MAX_APPROVALS) {
      throw new Refusal(
        'too_many_approvals',
        `${MAX_APPROVALS} approvals are waiting`,
        'decide some of them first',
      )
    }
    const now = this.#clock.now()
    const expiresAtMs = now + timeoutMs
    const approval: Approval = {
      id: `apr_${this.#ids.hex(24)}`,
      state: 'pending',
      at: new Date(now).toISOString(),
      expiresAt: new Date(expiresAtMs).toISOString(),
      ...request,
    }
    this.#add({ approval, expiresAtMs, dedupeUntilMs: now + dedupeMs })
    return approval
  }

  /**
   * Holds a call until its approval is decided, withdrawn or expired, but at most for `holdMs` milliseconds
   * of the clock. Resolves with the approval. Resolves immediately if another call is held for the same
   * approval.
   */
  wait(approval: Approval, holdMs: number): Promise<Approval> {
    const open = this.#open.get(approval.id)
    if (open === undefined || open.waiting !== undefined) return Promise.resolve(approval)
    return new Promise(resolve => {
      open.waiting = () => resolve(open.approval)
      const until = Math.min(this.#clock.now() + holdMs, open.expiresAtMs)
      open.hold = this.#clock.wakeAt(until, () => this.#wake(open))
    })
  }

  /** Withdraws a pending approval, because its caller has disconnected. */
  withdraw(id: string): void {
    const open = this.#open.get(id)
    if (open === undefined || open.approval.state !== 'pending') return
    this.#become(open, 'withdrawn')
    this.#wake(open)
  }

  /** Returns the approvals as plain data. Held calls continue to wait. */
  snapshot(): ApprovalsSnapshot {
    this.#forget()
    const approvals = [...this.#open.values()].map(({ approval, expiresAtMs, dedupeUntilMs }) => ({
      approval,
      expiresAtMs,
      dedupeUntilMs,
    }))
    return { approvals, ids: this.#ids.positions() }
  }

  /**
   * Restores approvals and notifies the listeners of each approval. Held calls are not approved, because
   * their approvals are replaced.
   */
  restore({ approvals, ids }: ApprovalsSnapshot): void {
    this.close()
    this.#open.clear()
    this.#ids.moveTo(ids)
    for (const kept of approvals) this.#add(kept)
  }

  /** Withdraws all pending approvals, so that held calls end without approval. */
  close(): void {
    for (const { approval } of [...this.#open.values()]) this.withdraw(approval.id)
  }

  #add(kept: ApprovalsSnapshot['approvals'][number]): void {
    this.#open.set(kept.approval.id, { ...kept, waiting: undefined, hold: undefined })
    this.#tell(kept.approval)
  }

  #wake(open: Open): void {
    const { waiting, hold } = open
    open.waiting = undefined
    open.hold = undefined
    hold?.cancel()
    waiting?.()
  }

  #become(open: Open, state: ApprovalState): void {
    open.approval = { ...open.approval, state }
    this.#tell(open.approval)
  }

  #tell(approval: Approval): void {
    for (const listener of this.#listeners) listener(approval)
  }

  #dropSettled(): void {
    for (const [id, { approval }] of this.#open) {
      if (approval.state === 'used' || approval.state === 'withdrawn') this.#open.delete(id)
    }
  }

  /** Removes expired approvals. An approval with a held call is kept. */
  #forget(): void {
    const now = this.#clock.now()
    for (const [id, { expiresAtMs, waiting }] of this.#open) {
      if (expiresAtMs <= now && waiting === undefined) this.#open.delete(id)
    }
  }
}

/**
 * Returns whether an approval is for a call. The grant must be equal, and the fingerprint that Intercept
 * publishes: tool, rule and arguments. A call without a hash of its arguments matches no approval.
 */
function sameCall(approval: Approval, request: ApprovalRequest): boolean {
  const { grant, tool, rule, argsHash } = request
  return (
    argsHash !== null &&
    approval.argsHash === argsHash &&
    approval.grant === grant &&
    approval.tool === tool &&
    approval.rule === rule
  )
}

interface DecisionsOptions {
  approvals: Approvals
  listen: ListenOptions
  log: Log
}

/**
 * Serves the approvals on a separate port. An agent that could reach this port would approve its own calls.
 *
 * @throws Refusal `port_busy` or `cannot_listen`
 */
export async function listenForDecisions({ approvals, listen, log }: DecisionsOptions): Promise<Listener> {
  const { host = '127.0.0.1', port = 0, allowedHosts = [] } = listen
  // This module is loaded only when it is needed, because a gateway on stdio has to start fast.
  const { createCheckedApi } = await import('../../shared/http/checked-api.js')
  const operations = approvalRoutes(approvals)
  const hint = 'GET /approvals lists what is waiting'
  const api = createCheckedApi({ name: 'approvals', operations, hint, log })
  return Listener.open({
    host,
    port,
    name: 'approvals',
    portOption: '--approval-port',
    // A page that an agent serves to a browser on this machine must not reach this port.
    allowedHosts,
    ownPagesOnly: true,
    handlers: async () => ({ api: async () => api }),
  })
}
