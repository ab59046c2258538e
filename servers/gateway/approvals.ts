import type { Clock, Wakeup } from '../../shared/clock/clock.js'
import { Refusal } from '../../shared/errors.js'
import { approvalRoutes, unknownApproval } from '../../shared/http/approval-routes.js'
import { Guard } from '../../shared/http/guard.js'
import { Listener } from '../../shared/http/listener.js'
import type { IdPositions, IdSource } from '../../shared/ids.js'
import type { ListenOptions } from '../../shared/mcp/http/serve.js'
import type { Approval, ApprovalDecision, ApprovalState } from '../../shared/schemas/approval.js'
import type { Log } from '../../shared/util/log.js'
import { APPROVAL_TTL_MS } from './options.js'

/** Approvals remembered at once: a runaway agent must not fill the memory with requests. */
const MAX_APPROVALS = 1000

/** What of a call goes into its approval. */
export type ApprovalRequest = Pick<
  Approval,
  'grant' | 'tool' | 'argumentKeys' | 'argsHash' | 'rule' | 'message'
>

interface Open {
  approval: Approval
  expiresAtMs: number
  /** Ends the wait of the call that is held for it. */
  waiting: (() => void) | undefined
  hold: Wakeup | undefined
}

/** What there was of approvals at one moment, as plain data. */
export interface ApprovalsSnapshot {
  readonly approvals: readonly { readonly approval: Approval; readonly expiresAtMs: number }[]
  readonly ids: IdPositions
}

export interface ApprovalsOptions {
  clock: Clock
  ids: IdSource
}

/** The calls that wait for somebody's approval, and those that have it and have not been made yet. */
export class Approvals {
  readonly #clock: Clock
  readonly #ids: IdSource
  readonly #open = new Map<string, Open>()
  readonly #listeners = new Set<(approval: Approval) => void>()

  constructor({ clock, ids }: ApprovalsOptions) {
    this.#clock = clock
    this.#ids = ids
  }

  /** All that are remembered, the oldest first. */
  list(): Approval[] {
    this.#forget()
    return [...this.#open.values()].map(({ approval }) => approval)
  }

  /** Calls `listener` whenever one is asked for or changes, until the returned function is called. */
  subscribe(listener: (approval: Approval) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Decides a pending one. A call that is held goes through, or is refused; of one that is not, the next like it.
   *
   * @throws Refusal `unknown_approval`; `approval_decided` if it is pending no more
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
    // The call that is held for it uses it up.
    const approved = open.waiting === undefined ? 'approved' : 'used'
    this.#become(open, approve ? approved : 'refused')
    this.#wake(open)
    return open.approval
  }

  /** What has been decided on such a call: an approval is used up by it, a refusal stands until its time is over. */
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
   * Asks for one: of the same call, the one that is pending already.
   *
   * @throws Refusal `too_many_approvals`
   */
  request(request: ApprovalRequest): Approval {
    this.#forget()
    for (const { approval, waiting } of this.#open.values()) {
      if (approval.state === 'pending' && waiting === undefined && sameCall(approval, request))
        return approval
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
    const expiresAtMs = now + APPROVAL_TTL_MS
    const approval: Approval = {
      id: `apr_${this.#ids.hex(24)}`,
      state: 'pending',
      at: new Date(now).toISOString(),
      expiresAt: new Date(expiresAtMs).toISOString(),
      ...request,
    }
    this.#open.set(approval.id, { approval, expiresAtMs, waiting: undefined, hold: undefined })
    this.#tell(approval)
    return approval
  }

  /**
   * Resolves with how it stands once it is decided, or withdrawn, or `holdMs` have passed by the clock, or
   * its time is over.
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

  /** Nobody waits for it any more: the caller has gone. */
  withdraw(id: string): void {
    const open = this.#open.get(id)
    if (open === undefined || open.approval.state !== 'pending') return
    this.#become(open, 'withdrawn')
    this.#wake(open)
  }

  /** All there is now. A call that is held for one goes on waiting. */
  snapshot(): ApprovalsSnapshot {
    this.#forget()
    const approvals = [...this.#open.values()].map(({ approval, expiresAtMs }) => ({ approval, expiresAtMs }))
    return { approvals, ids: this.#ids.positions() }
  }

  /**
   * Puts them back, and tells of each. Every held call is let go unapproved: it waits for something of a
   * state that is over.
   */
  restore({ approvals, ids }: ApprovalsSnapshot): void {
    this.close()
    this.#open.clear()
    this.#ids.moveTo(ids)
    for (const { approval, expiresAtMs } of approvals) {
      this.#open.set(approval.id, { approval, expiresAtMs, waiting: undefined, hold: undefined })
      this.#tell(approval)
    }
  }

  /** Lets every held call go unapproved. */
  close(): void {
    for (const { approval } of [...this.#open.values()]) this.withdraw(approval.id)
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

  /** Judged when looked at; what is still held is kept. */
  #forget(): void {
    const now = this.#clock.now()
    for (const [id, { expiresAtMs, waiting }] of this.#open) {
      if (expiresAtMs <= now && waiting === undefined) this.#open.delete(id)
    }
  }
}

/** Without a hash nothing tells that it is the same call. */
function sameCall(approval: Approval, { grant, tool, argsHash }: ApprovalRequest): boolean {
  return (
    argsHash !== null && approval.argsHash === argsHash && approval.grant === grant && approval.tool === tool
  )
}

interface DecisionsOptions {
  approvals: Approvals
  listen: ListenOptions
  log: Log
}

/**
 * Puts approvals on a port of their own: an agent that could reach it would approve of itself.
 *
 * @throws Refusal `port_busy` or `cannot_listen`
 */
export async function listenForDecisions({ approvals, listen, log }: DecisionsOptions): Promise<Listener> {
  const { host = '127.0.0.1', port = 0, allowedHosts = [] } = listen
  // A gateway on stdio has to start fast, and most have no such port.
  const { createCheckedApi } = await import('../../shared/http/checked-api.js')
  const operations = approvalRoutes(approvals)
  const hint = 'GET /approvals lists what is waiting'
  const api = createCheckedApi({ name: 'approvals', operations, hint, log })
  return Listener.open({
    host,
    port,
    name: 'approvals',
    portOption: '--approval-port',
    // What decides over calls is not to be reached by way of a page that an agent serves to somebody's browser.
    guard: new Guard([host, ...allowedHosts], { ownPagesOnly: true }),
    handlers: async () => ({ api: async () => api }),
  })
}
