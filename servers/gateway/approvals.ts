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

/** The parts of a call that its approval shows. */
export type ApprovalRequest = Pick<
  Approval,
  'grant' | 'tool' | 'argumentKeys' | 'argsHash' | 'rule' | 'message'
>

/** How long a request for an approval lasts. */
export interface ApprovalTerms {
  /** How long it may be decided and used, in milliseconds from the request. */
  readonly timeoutMs: number
  /** How long the same call finds it again while it is pending, in milliseconds from the request. */
  readonly dedupeMs: number
}

/** The terms of approvals in this project's own form. */
export const OWN_TERMS: ApprovalTerms = { timeoutMs: APPROVAL_TTL_MS, dedupeMs: APPROVAL_TTL_MS }

interface Open {
  approval: Approval
  expiresAtMs: number
  /** The instant from which the same call asks anew. */
  dedupeUntilMs: number
  /** Ends the wait of the call that is held for it. */
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
 * Keeps the calls that wait for an approval, and the approved calls that have not been made yet.
 *
 * An approval is `pending` until it is decided. `decide` makes it `approved` or `refused`, or `used` at once if its call is
 * held for it. The next call like it makes an approved one `used`, and a failure of that call makes it `approved` again.
 * A caller that leaves makes a pending one `withdrawn`. Past its time each is forgotten.
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
   * Decides a pending one. A held call passes or is refused at once. Without one, the decision holds for the next call like it.
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

  /** The decision on such a call, if there is one. It uses up an approval. A refusal stands until its time is over. */
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

  /** Makes a used approval good for another call: the upstream has failed the one that used it. */
  giveBack(id: string): void {
    this.#forget()
    const open = this.#open.get(id)
    if (open?.approval.state === 'used') this.#become(open, 'approved')
  }

  /**
   * Asks for one. Within the dedupe window the same call gets the request that is pending already.
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

  /** Resolves with the approval once it is decided or withdrawn, `holdMs` have passed by the clock, or its time is over. */
  wait(approval: Approval, holdMs: number): Promise<Approval> {
    const open = this.#open.get(approval.id)
    if (open === undefined || open.waiting !== undefined) return Promise.resolve(approval)
    return new Promise(resolve => {
      open.waiting = () => resolve(open.approval)
      const until = Math.min(this.#clock.now() + holdMs, open.expiresAtMs)
      open.hold = this.#clock.wakeAt(until, () => this.#wake(open))
    })
  }

  /** Withdraws a pending one, because its caller has gone. */
  withdraw(id: string): void {
    const open = this.#open.get(id)
    if (open === undefined || open.approval.state !== 'pending') return
    this.#become(open, 'withdrawn')
    this.#wake(open)
  }

  /** The approvals now. A call that is held for one goes on waiting. */
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
   * Restores approvals and announces each. Every held call ends unapproved, because its state is replaced.
   */
  restore({ approvals, ids }: ApprovalsSnapshot): void {
    this.close()
    this.#open.clear()
    this.#ids.moveTo(ids)
    for (const kept of approvals) this.#add(kept)
  }

  /** Lets every held call go unapproved. */
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

  /** Forgets those whose time is over. One that a call is still held for is kept. */
  #forget(): void {
    const now = this.#clock.now()
    for (const [id, { expiresAtMs, waiting }] of this.#open) {
      if (expiresAtMs <= now && waiting === undefined) this.#open.delete(id)
    }
  }
}

/**
 * Tells whether an approval is for such a call, by the fingerprint that Intercept publishes (tool, rule, arguments) and by the
 * grant. Without a hash of the arguments it is for none.
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
    // A page that an agent serves to a browser on this machine must not reach this port.
    guard: new Guard([host, ...allowedHosts], { ownPagesOnly: true }),
    handlers: async () => ({ api: async () => api }),
  })
}
