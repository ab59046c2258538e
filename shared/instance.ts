import type { Clock } from './clock/clock.js'
import type { FaultTable } from './faults/table.js'
import type { IdSource } from './ids.js'
import type { Journal } from './journal/journal.js'
import type { Tally } from './journal/tally.js'
import type { Catalogue } from './overlays/overlays.js'
import type { Records } from './records/records.js'
import type { Sharing } from './records/sharing.js'
import type { StoreDatabase } from './records/store-database.js'
import type { AccountState, PLANS } from './schemas/account.js'
import type { KnownTools } from './util/known-tools.js'
import type { Log } from './util/log.js'

/** The parts that the servers of one instance share: clock, ids, journal, log. */
export interface Instance {
  readonly name: string
  readonly clock: Clock
  /** The machine's time, for what concerns connections: a jump of the instance's clock must not disturb them. */
  readonly machine: Clock
  readonly ids: IdSource
  readonly journal: Journal
  /** How often what was called, from the beginning on. */
  readonly tally: Tally
  /** Trouble that has been asked for. */
  readonly faults: FaultTable
  /** The overlays of the tool lists. */
  readonly catalogue: Catalogue
  /** The servers and tools of this instance that have been started. */
  readonly knownTools: KnownTools
  /** The state of its servers. */
  readonly records: Records
  /** The shared store. Undefined: there is none, and all state is in memory. */
  readonly store: StoreDatabase | undefined
  /** The parts that are shared with the other replicas of the store. Undefined: there is no store. */
  readonly sharing: Sharing | undefined
  /** Whether HTTP answers name this instance and their entry in the journal. */
  readonly stamp: boolean
  readonly log: Log
  /** One of its servers has broken off. */
  crashed(): void
  /** Stops time and closes the journal. To be called once the servers are closed. */
  close(): Promise<void>
}

/** How much of what exists is to be shown. */
export interface StateRequest {
  /** Whether passwords and tokens are shown as they are. */
  secrets: boolean
  /** How many messages of a room and deliveries of a receiver, at most. */
  latest: number
}

/** The checked parts, each with `ok` or its error. */
export type Checks = Record<string, string>

/** A server, as far as the control plane shows it. */
export interface ControlledServer<View> {
  /** What exists now. */
  state(request: StateRequest): Promise<View>
  /** Whether it could answer a call, found out by making one of which its journal hears nothing. */
  checks(): Promise<Checks>
  /** Returns figures that are measured on request. */
  gauges(): Promise<Gauge[]>
}

export interface ControlledInstanode<View> extends ControlledServer<View> {
  /**
   * Upgrades or downgrades an account.
   *
   * @throws Refusal `unknown_account`
   */
  setPlan(accountId: string, plan: (typeof PLANS)[number]): Promise<AccountState>
}

/** A figure that goes up and down, under its labels. */
export interface Gauge {
  /** Without the prefix, e.g. `rooms`. */
  name: string
  /** The description in one line. */
  about: string
  labels: Readonly<Record<string, string>>
  value: number
}
