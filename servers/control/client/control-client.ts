import type { z } from 'zod'
import type { ClockChange } from '../../../shared/clock/change.js'
import type { Fault } from '../../../shared/faults/fault.js'
import type { FaultStatus } from '../../../shared/faults/table.js'
import type { EntryJson } from '../../../shared/journal/entry.js'
import type { JournalFilter, PageRequest, WaitOptions } from '../../../shared/journal/where.js'
import type { Overlay } from '../../../shared/overlays/overlay.js'
import type { OverlayStatus } from '../../../shared/overlays/overlays.js'
import { type AccountState, account, type PLANS } from '../../../shared/schemas/account.js'
import {
  type Approval,
  type ApprovalDecision,
  approval,
  approvalsAnswer,
} from '../../../shared/schemas/approval.js'
import { type AuditFilter, auditAnswer, type GatewayEntry } from '../../../shared/schemas/audit.js'
import { type GatewayView, gatewaysAnswer } from '../../../shared/schemas/gateway.js'
import { type ClockState, clockState } from '../schemas/clock.js'
import { faultsAnswer, overlaysAnswer } from '../schemas/faults-and-overlays.js'
import { readyAnswer } from '../schemas/health.js'
import { entryAnswer, pageAnswer, proven, waitAnswer } from '../schemas/journal.js'
import {
  type Replicas,
  replicasAnswer,
  resetAnswer,
  snapshotAnswer,
  snapshotsAnswer,
} from '../schemas/state.js'
import { type GatewayEvent, gatewayEventOf, type JournalEvent, journalEventOf } from './events.js'
import { Exchange, queryOf, type Resumption } from './http.js'

export type SnapshotSummary = z.infer<typeof snapshotAnswer>

/**
 * Controls an instance in another process over HTTP. Its members have the names of the members that
 * `createUnderstudy` returns for an instance in this process.
 *
 * If a request fails, the method rejects with a `ControlError`, which has the code and the hint from the
 * control plane.
 */
export class ControlClient<State> {
  readonly clock: ControlledClock
  readonly journal: ControlledJournal
  readonly faults: ControlledFaults
  readonly catalogue: ControlledCatalogue
  readonly gateways: ControlledGateways
  readonly #exchange: Exchange
  readonly #state: z.ZodType<State>

  /**
   * @param url the URL of the control plane: `http://127.0.0.1:4800`, or the URL that `up --json` prints
   *   as `control`
   * @param state the schema for the answer of `GET /state`
   */
  constructor(url: string, state: z.ZodType<State>) {
    this.#state = state
    this.#exchange = new Exchange(url)
    this.clock = new ControlledClock(this.#exchange)
    this.journal = new ControlledJournal(this.#exchange)
    this.faults = new ControlledFaults(this.#exchange)
    this.catalogue = new ControlledCatalogue(this.#exchange)
    this.gateways = new ControlledGateways(this.#exchange)
  }

  /**
   * Returns the current state. Passwords and tokens are masked unless `secrets` is true. `latest` limits the
   * number of messages for each room and of deliveries for each receiver.
   */
  state({ secrets = false, latest }: { secrets?: boolean; latest?: number } = {}): Promise<State> {
    const query = `?secrets=${secrets ? 1 : 0}${latest === undefined ? '' : `&latest=${latest}`}`
    return this.#exchange.read({ method: 'GET', path: `/state${query}` }, this.#state)
  }

  /** Returns the URL of the shared store, and all replicas that use the store. */
  replicas(): Promise<Replicas> {
    return this.#exchange.read({ method: 'GET', path: '/replicas' }, replicasAnswer)
  }

  /** Changes the plan of an account, and of the resources that it owns. */
  setPlan(accountId: string, plan: (typeof PLANS)[number]): Promise<AccountState> {
    const path = `/accounts/${encodeURIComponent(accountId)}`
    return this.#exchange.read({ method: 'POST', path, body: { plan } }, account)
  }

  /**
   * Resets the instance to a world.
   *
   * @param options `world` is the name of a world in fixtures/worlds, or the world itself. A path is refused.
   *   Default: the world with which the instance was started
   * @throws ControlError `unknown_world` or `bad_world`. The instance is then unchanged.
   */
  async reset(options: { world?: string | Record<string, unknown> } = {}): Promise<ClockState> {
    return (await this.#exchange.read({ method: 'POST', path: '/reset', body: options }, resetAnswer)).clock
  }

  /** Takes a snapshot and stores it in the process of the instance. */
  snapshot(): Promise<SnapshotSummary> {
    return this.#exchange.read({ method: 'POST', path: '/snapshots' }, snapshotAnswer)
  }

  async snapshots(): Promise<SnapshotSummary[]> {
    return (await this.#exchange.read({ method: 'GET', path: '/snapshots' }, snapshotsAnswer)).snapshots
  }

  async restore({ id }: { id: string }): Promise<ClockState> {
    const path = `/snapshots/${encodeURIComponent(id)}/restore`
    return (await this.#exchange.read({ method: 'POST', path }, resetAnswer)).clock
  }

  async deleteSnapshot({ id }: { id: string }): Promise<void> {
    await this.#exchange.read(
      { method: 'DELETE', path: `/snapshots/${encodeURIComponent(id)}` },
      snapshotsAnswer,
    )
  }

  /** Resolves if every server can answer a call. @throws ControlError `not_ready` */
  async requireReady(): Promise<void> {
    await this.#exchange.read({ method: 'GET', path: '/readyz' }, readyAnswer)
  }

  /** Returns the metrics in the text format of Prometheus. */
  async metrics(): Promise<string> {
    return (await this.#exchange.open({ method: 'GET', path: '/metrics' })).text()
  }
}

/** The instance's clock, over HTTP. See `Clock`. */
class ControlledClock {
  readonly #exchange: Exchange

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  get(): Promise<ClockState> {
    return this.#exchange.read({ method: 'GET', path: '/clock' }, clockState)
  }

  /** Changes the clock. Resolves when all wake-ups that fell due have run. */
  set(change: ClockChange): Promise<ClockState> {
    return this.#exchange.read({ method: 'PUT', path: '/clock', body: change }, clockState)
  }

  /** Moves the clock forward by `ms` milliseconds. Resolves when all wake-ups that fell due have run. */
  advance(ms: number): Promise<ClockState> {
    return this.#exchange.read({ method: 'POST', path: '/clock/advance', body: { ms } }, clockState)
  }
}

export type StreamRequest = JournalFilter & Resumption

/** The journal, read over HTTP. */
class ControlledJournal {
  readonly #exchange: Exchange

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  /** See `Journal.page`. */
  page(request: PageRequest = {}): Promise<{ entries: EntryJson[]; next: number; dropped: number }> {
    return this.#exchange.read({ method: 'GET', path: `/journal${queryOf(request)}` }, pageAnswer)
  }

  /** See `Journal.find`. @throws ControlError `unknown_entry` */
  find(seq: number): Promise<{ entry: EntryJson; answer: string | null }> {
    return this.#exchange.read({ method: 'GET', path: `/journal/entries/${seq}` }, entryAnswer)
  }

  async clear(): Promise<void> {
    await this.#exchange.read({ method: 'DELETE', path: '/journal' }, pageAnswer)
  }

  /** See `Journal.waitFor`. @throws ControlError `journal_wait`, whose message names the nearest miss */
  async waitFor(where: JournalFilter, { signal, ...options }: WaitOptions = {}): Promise<EntryJson[]> {
    const body = { where, ...options }
    const request = { method: 'POST', path: '/journal/wait', body, signal } as const
    return (await this.#exchange.read(request, waitAnswer)).entries
  }

  /**
   * See `Journal.expectNothing`.
   *
   * @throws ControlError `journal_unexpected`, whose message lists the entries that match `where`
   */
  async expectNothing(where: JournalFilter = {}): Promise<void> {
    await this.#exchange.read({ method: 'POST', path: '/journal/expect-nothing', body: { where } }, proven)
  }

  /** Yields an event when a request arrives, and another event when the request has ended. */
  async *stream({ lastEventId, signal, ...request }: StreamRequest = {}): AsyncGenerator<JournalEvent> {
    const path = `/journal/stream${queryOf(request)}`
    for await (const event of this.#exchange.events(path, { lastEventId, signal }))
      yield journalEventOf(event)
  }
}

/** The gateways in front of the servers, read over HTTP. */
class ControlledGateways {
  readonly #exchange: Exchange

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  async list(): Promise<GatewayView[]> {
    return (await this.#exchange.read({ method: 'GET', path: '/gateways' }, gatewaysAnswer)).gateways
  }

  /** Returns the decisions of the gateways, the oldest first. */
  audit(
    request: AuditFilter & { after?: number; limit?: number } = {},
  ): Promise<{ entries: GatewayEntry[]; next: number; dropped: number }> {
    const path = `/gateways/audit${queryOf(request)}`
    return this.#exchange.read({ method: 'GET', path }, auditAnswer)
  }

  /** Yields each decision when it is recorded, and each approval when it is requested or changed. */
  async *stream({
    lastEventId,
    signal,
    ...request
  }: AuditFilter & Resumption = {}): AsyncGenerator<GatewayEvent> {
    const path = `/gateways/audit/stream${queryOf(request)}`
    for await (const event of this.#exchange.events(path, { lastEventId, signal }))
      yield gatewayEventOf(event)
  }

  /** Returns the approvals, the oldest first. */
  async approvals(): Promise<Approval[]> {
    return (await this.#exchange.read({ method: 'GET', path: '/approvals' }, approvalsAnswer)).approvals
  }

  /**
   * Decides a pending approval.
   *
   * @throws ControlError `unknown_approval`, or `approval_decided` if the approval is not pending
   */
  decide(id: string, decision: ApprovalDecision): Promise<Approval> {
    const path = `/approvals/${encodeURIComponent(id)}`
    return this.#exchange.read({ method: 'POST', path, body: { decision } }, approval)
  }
}

/** The faults, changed over HTTP. See `FaultTable`. */
class ControlledFaults {
  readonly #exchange: Exchange

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  async list(): Promise<FaultStatus[]> {
    return (await this.#exchange.read({ method: 'GET', path: '/faults' }, faultsAnswer)).faults
  }

  /** Replaces all faults. The result of `list` is also accepted. */
  async set(faults: readonly Fault[]): Promise<FaultStatus[]> {
    const body = { faults }
    return (await this.#exchange.read({ method: 'PUT', path: '/faults', body }, faultsAnswer)).faults
  }

  async clear(): Promise<void> {
    await this.#exchange.read({ method: 'DELETE', path: '/faults' }, faultsAnswer)
  }

  /**
   * Resolves if every fault was applied at least once.
   *
   * @throws ControlError `faults_not_hit`, whose message lists the faults that were not applied
   */
  async expectAllHit(): Promise<void> {
    await this.#exchange.read({ method: 'POST', path: '/faults/expect-all-hit' }, proven)
  }
}

/** The overlays on lists of tools, changed over HTTP. See `Catalogue`. */
class ControlledCatalogue {
  readonly #exchange: Exchange

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  async list(): Promise<OverlayStatus[]> {
    return (await this.#exchange.read({ method: 'GET', path: '/catalogue' }, overlaysAnswer)).overlays
  }

  /** Replaces all overlays. The result of `list` is also accepted. */
  async set(overlays: readonly Overlay[]): Promise<OverlayStatus[]> {
    const body = { overlays }
    return (await this.#exchange.read({ method: 'PUT', path: '/catalogue', body }, overlaysAnswer)).overlays
  }

  async clear(): Promise<void> {
    await this.#exchange.read({ method: 'DELETE', path: '/catalogue' }, overlaysAnswer)
  }
}
