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
  /**
   * A clock of machine time, for connections. A jump of the instance's clock must not disturb connections.
   */
  readonly machine: Clock
  readonly ids: IdSource
  readonly journal: Journal
  /** Counts of the requests since the start, by server, tool and outcome. */
  readonly tally: Tally
  /** The faults that have been set. */
  readonly faults: FaultTable
  /** The overlays of the tool lists. */
  readonly catalogue: Catalogue
  /** The servers that have been started, and their tools. */
  readonly knownTools: KnownTools
  /** The state of the servers. */
  readonly records: Records
  /** The shared store. Undefined: all state is in memory. */
  readonly store: StoreDatabase | undefined
  /** The parts that this instance shares with the other replicas. Undefined: there is no store. */
  readonly sharing: Sharing | undefined
  /** Whether HTTP answers have headers with the name of this instance and the `seq` of the journal entry. */
  readonly stamp: boolean
  readonly log: Log
  /** Called when one of the servers has crashed. */
  crashed(): void
  /** Stops the clock and closes the journal. Call it after the servers have been closed. */
  close(): Promise<void>
}

/** Selects the details that the state contains. */
export interface StateRequest {
  /** Whether passwords and tokens are shown without masking. */
  secrets: boolean
  /**
   * Maximum number of messages of each room, and of deliveries of each receiver. If there are more, the
   * latest are shown.
   */
  latest: number
}

/** The result of each check: `ok` or an error. */
export type Checks = Record<string, string>

/** The methods of a server that the control plane calls. */
export interface ControlledServer<View> {
  /** Returns the current state. */
  state(request: StateRequest): Promise<View>
  /**
   * Checks each part of the server with a test call, and returns one result for each part. The journal does
   * not record the test calls.
   */
  checks(): Promise<Checks>
  /** Returns figures that are measured at the time of the call. */
  gauges(): Promise<Gauge[]>
}

export interface ControlledInstanode<View> extends ControlledServer<View> {
  /**
   * Changes the plan of an account.
   *
   * @throws Refusal `unknown_account`
   */
  setPlan(accountId: string, plan: (typeof PLANS)[number]): Promise<AccountState>
}

/** A figure that can increase and decrease, with its labels. */
export interface Gauge {
  /** The name without the common prefix, for example `rooms`. */
  name: string
  /** A description in one line. */
  about: string
  labels: Readonly<Record<string, string>>
  value: number
}
