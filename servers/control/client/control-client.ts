import type { z } from 'zod'
import type { ClockChange } from '../../../shared/clock/change.js'
import { type AccountState, account, type PLANS } from '../../../shared/schemas/account.js'
import { type ClockState, clockState } from '../schemas/clock.js'
import { readyAnswer } from '../schemas/health.js'
import {
  type Replicas,
  replicasAnswer,
  resetAnswer,
  snapshotAnswer,
  snapshotsAnswer,
} from '../schemas/state.js'
import { ControlledGateways } from './gateways.js'
import { Exchange } from './http.js'
import { ControlledJournal } from './journal.js'
import { ControlledCatalogue, ControlledFaults } from './trouble.js'

export type SnapshotSummary = z.infer<typeof snapshotAnswer>

/**
 * The control plane of an instance that runs elsewhere: what `createUnderstudy` gives in process, over HTTP.
 *
 * Every method rejects with a `ControlError` of the control plane's own code and hint.
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
   * @param url of the control plane: `http://127.0.0.1:4800`, or what `up --json` prints under `control`;
   * `state` is the schema of `GET /state`
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

  /** What exists now; passwords and tokens are masked unless `secrets` are asked for. */
  state({ secrets = false, latest }: { secrets?: boolean; latest?: number } = {}): Promise<State> {
    const query = `?secrets=${secrets ? 1 : 0}${latest === undefined ? '' : `&latest=${latest}`}`
    return this.#exchange.read({ method: 'GET', path: `/state${query}` }, this.#state)
  }

  /** The instances that share a store with this one; and the store they share. */
  replicas(): Promise<Replicas> {
    return this.#exchange.read({ method: 'GET', path: '/replicas' }, replicasAnswer)
  }

  /** Upgrades or downgrades an account, and what it owns with it. */
  setPlan(accountId: string, plan: (typeof PLANS)[number]): Promise<AccountState> {
    const path = `/accounts/${encodeURIComponent(accountId)}`
    return this.#exchange.read({ method: 'POST', path, body: { plan } }, account)
  }

  /**
   * Begins anew.
   *
   * @param options `world`: a name of fixtures/worlds, or the world itself; a path is refused. Default:
   *   the one it began with
   * @throws ControlError `unknown_world`, `bad_world`; all is as before then
   */
  async reset(options: { world?: string | Record<string, unknown> } = {}): Promise<ClockState> {
    return (await this.#exchange.read({ method: 'POST', path: '/reset', body: options }, resetAnswer)).clock
  }

  /** Takes a snapshot, which the instance keeps. */
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

  /** Resolves if every server could answer a call. @throws ControlError `not_ready` */
  async requireReady(): Promise<void> {
    await this.#exchange.read({ method: 'GET', path: '/readyz' }, readyAnswer)
  }

  /** In the text format of Prometheus. */
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

  /** Resolves when all that fell due has run. */
  set(change: ClockChange): Promise<ClockState> {
    return this.#exchange.read({ method: 'PUT', path: '/clock', body: change }, clockState)
  }

  /** @param ms how far; resolves when all that fell due has run */
  advance(ms: number): Promise<ClockState> {
    return this.#exchange.read({ method: 'POST', path: '/clock/advance', body: { ms } }, clockState)
  }
}
