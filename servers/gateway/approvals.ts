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

/** The parts of a call that the person who decides can see. */
export type ApprovalRequest = Pick<
  Approval,
  'grant' | 'tool' | 'argumentKeys' | 'argsHash' | 'rule' | 'message'
>

/** The time limits of an approval. */
export interface ApprovalTerms {
  /** Milliseconds from the request until the approval expires. Then it can no longer be decided or used. */
  readonly timeoutMs: number
  /** Milliseconds from the request in which an identical call gets this approval, not a new one. */
  readonly dedupeMs: number
}

/** The time limits of approvals that are not in the form of Intercept. */
export const OWN_TERMS: ApprovalTerms = { timeoutMs: APPROVAL_TTL_MS, dedupeMs: APPROVAL_TTL_MS }

interface StoredApproval {
  approval: Approval
  expiresAtMs: number
  /** The time from which an identical call requests a new approval, in milliseconds since the epoch. */
  dedupeUntilMs: number
  /** Answers the call that waits for the decision. Undefined if no call waits. */
  endWait: (() => void) | undefined
  hold: Wakeup | undefined
}

/** A copy of the approvals, as plain data. */
export interface ApprovalsSnapshot {
  readonly approvals: readonly Readonly<Pick<StoredApproval, 'approval' | 'expiresAtMs' | 'dedupeUntilMs'>>[]
  readonly ids: IdPositions
}

export interface ApprovalsOptions {
  clock: Clock
  ids: IdSource
}

/**
 * Stores the approvals of a gateway.
 *
 * A new approval is `pending`. `decide` changes its state to `approved` or `refused`. If a call waits for the
 * decision, the call uses the approval at once, so `decide` changes the state to `used` instead of
 * `approved`. Otherwise, the next identical call changes `approved` to `used`. If the upstream fails that
 * call, `giveBack` changes `used` back to `approved`. `withdraw` changes `pending` to `withdrawn`. Expired
 * approvals are removed.
 */
export class Approvals {
  readonly #clock: Clock
  readonly #ids: IdSource
  readonly #stored = new Map<string, StoredApproval>()
  readonly #listeners = new Set<(approval: Approval) => void>()

  constructor({ clock, ids }: ApprovalsOptions) {
    this.#clock = clock
    this.#ids = ids
  }

  /** Returns all stored approvals, the oldest first. */
  list(): Approval[] {
    this.#removeExpired()
    return [...this.#stored.values()].map(({ approval }) => approval)
  }

  /**
   * Calls `listener` with each approval that is requested, changed or restored. The returned function removes
   * the listener.
   */
  subscribe(listener: (approval: Approval) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Decides a pending approval. If a call waits for the decision, it passes or is refused immediately.
   * Otherwise, the decision applies to the next identical call.
   *
   * @throws Refusal `unknown_approval`, or `approval_decided` if the approval is no longer pending
   */
  decide(id: string, decision: ApprovalDecision): Approval {
    this.#removeExpired()
    const stored = this.#stored.get(id)
    if (stored === undefined) throw unknownApproval(id)
    const { state } = stored.approval
    if (state !== 'pending') {
      throw new Refusal(
        'approval_decided',
        `approval ${id} is ${state} already`,
        'make the call again to request a new approval',
      )
    }
    const approve = decision === 'approve'
    // The call that waits for the decision uses the approval.
    const approved = stored.endWait === undefined ? 'approved' : 'used'
    this.#setState(stored, approve ? approved : 'refused')
    this.#wake(stored)
    return stored.approval
  }

  /**
   * Returns the approval of a call, if it has been approved or refused. Returns undefined otherwise. An
   * `approved` approval becomes `used`. A `refused` approval stays valid until it expires.
   */
  decided(request: ApprovalRequest): Approval | undefined {
    this.#removeExpired()
    for (const stored of this.#stored.values()) {
      const { state } = stored.approval
      if ((state !== 'approved' && state !== 'refused') || !sameCall(stored.approval, request)) continue
      if (state === 'approved') this.#setState(stored, 'used')
      return stored.approval
    }
    return undefined
  }

  /**
   * Changes a `used` approval back to `approved`, because the upstream has failed the call that used it.
   */
  giveBack(id: string): void {
    this.#removeExpired()
    const stored = this.#stored.get(id)
    if (stored?.approval.state === 'used') this.#setState(stored, 'approved')
  }

  /**
   * Requests an approval. Returns the pending approval of an identical call, if that call was made less than
   * `dedupeMs` ago.
   *
   * @throws Refusal `too_many_approvals`
   */
  request(request: ApprovalRequest, { timeoutMs, dedupeMs }: ApprovalTerms = OWN_TERMS): Approval {
    this.#removeExpired()
    for (const { approval, endWait, dedupeUntilMs } of this.#stored.values()) {
      const found = approval.state === 'pending' && endWait === undefined && this.#clock.now() < dedupeUntilMs
      if (found && sameCall(approval, request)) return approval
    }
    if (this.#stored.size >= MAX_APPROVALS) this.#dropSettled()
    if (this.#stored.size >= MAX_APPROVALS) {
      throw new Refusal(
        'too_many_approvals',
        `${MAX_APPROVALS} approvals are stored already`,
        'decide pending approvals, or wait until some have expired',
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
   * Resolves with the approval when it is decided, withdrawn or expired, but at the latest after `holdMs`
   * milliseconds of the clock. Resolves immediately if another call already waits for the same approval.
   */
  wait(approval: Approval, holdMs: number): Promise<Approval> {
    const stored = this.#stored.get(approval.id)
    if (stored === undefined || stored.endWait !== undefined) return Promise.resolve(approval)
    return new Promise(resolve => {
      stored.endWait = () => resolve(stored.approval)
      const until = Math.min(this.#clock.now() + holdMs, stored.expiresAtMs)
      stored.hold = this.#clock.wakeAt(until, () => this.#wake(stored))
    })
  }

  /** Withdraws a pending approval. Used when the caller that requested it has disconnected. */
  withdraw(id: string): void {
    const stored = this.#stored.get(id)
    if (stored === undefined || stored.approval.state !== 'pending') return
    this.#setState(stored, 'withdrawn')
    this.#wake(stored)
  }

  /** Returns the approvals as plain data. Calls that wait for a decision continue to wait. */
  snapshot(): ApprovalsSnapshot {
    this.#removeExpired()
    const approvals = [...this.#stored.values()].map(({ approval, expiresAtMs, dedupeUntilMs }) => ({
      approval,
      expiresAtMs,
      dedupeUntilMs,
    }))
    return { approvals, ids: this.#ids.positions() }
  }

  /**
   * Replaces all approvals, and calls the listeners with each new one. Calls that wait for a decision are
   * refused, because their approvals no longer exist.
   */
  restore({ approvals, ids }: ApprovalsSnapshot): void {
    this.close()
    this.#stored.clear()
    this.#ids.moveTo(ids)
    for (const kept of approvals) this.#add(kept)
  }

  /** Withdraws all pending approvals, so that no call waits for a decision any longer. */
  close(): void {
    for (const { approval } of [...this.#stored.values()]) this.withdraw(approval.id)
  }

  #add(kept: ApprovalsSnapshot['approvals'][number]): void {
    this.#stored.set(kept.approval.id, { ...kept, endWait: undefined, hold: undefined })
    this.#notifyListeners(kept.approval)
  }

  #wake(stored: StoredApproval): void {
    const { endWait, hold } = stored
    stored.endWait = undefined
    stored.hold = undefined
    hold?.cancel()
    endWait?.()
  }

  #setState(stored: StoredApproval, state: ApprovalState): void {
    stored.approval = { ...stored.approval, state }
    this.#notifyListeners(stored.approval)
  }

  #notifyListeners(approval: Approval): void {
    for (const listener of this.#listeners) listener(approval)
  }

  #dropSettled(): void {
    for (const [id, { approval }] of this.#stored) {
      if (approval.state === 'used' || approval.state === 'withdrawn') this.#stored.delete(id)
    }
  }

  /** Removes expired approvals, except those for which a call waits. */
  #removeExpired(): void {
    const now = this.#clock.now()
    for (const [id, { expiresAtMs, endWait }] of this.#stored) {
      if (expiresAtMs <= now && endWait === undefined) this.#stored.delete(id)
    }
  }
}

/**
 * Returns whether an approval applies to a call. Grant, tool, rule and arguments must be equal. Intercept
 * compares the last three. A call without a hash of its arguments matches no approval.
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
 * Serves the approvals on a separate port. An agent must not be able to reach this port, because it could
 * then approve its own calls.
 *
 * @throws Refusal `port_busy` or `cannot_listen`
 */
export async function listenForDecisions({ approvals, listen, log }: DecisionsOptions): Promise<Listener> {
  const { host = '127.0.0.1', port = 0, allowedHosts = [] } = listen
  // The module is loaded only for this port, so that a gateway without the port starts faster.
  const { createCheckedApi } = await import('../../shared/http/checked-api.js')
  const operations = approvalRoutes(approvals)
  const hint = 'GET /approvals lists the approvals'
  const api = createCheckedApi({ name: 'approvals', operations, hint, log })
  return Listener.open({
    host,
    port,
    name: 'approvals',
    portOption: '--approval-port',
    allowedHosts,
    // A browser on this machine may show a page that an agent serves. Such a page must not use this port.
    ownPagesOnly: true,
    handlers: async () => ({ api: async () => api }),
  })
}
