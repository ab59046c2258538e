import type { Instance } from '../instance.js'
import type { GatewayRecord } from './gateway-record.js'
import type { Gauge } from './metrics/gauge.js'
import type { AccountState, PLANS } from './schemas/account.js'
import type { Approval, ApprovalDecision } from './schemas/approval.js'
import type { GatewayView } from './schemas/gateway.js'
import type { InstanodeView } from './schemas/instanode-view.js'
import type { SafebotView } from './schemas/safebot-view.js'

/** How much of what exists is to be shown. */
export interface StateRequest {
  /** Whether passwords and tokens are shown as they are. */
  secrets: boolean
  /** How many messages of a room and deliveries of a receiver, at most. */
  latest: number
}

/** What was looked at, and `ok` or what is wrong with it. */
export type Checks = Record<string, string>

/** A server, as far as the control plane shows it. */
export interface ControlledServer<State> {
  /** What exists now. */
  state(request: StateRequest): Promise<State>
  /** Whether it could answer a call, found out by making one of which its journal hears nothing. */
  checks(): Promise<Checks>
  /** Figures that are read off when somebody asks. */
  gauges(): Promise<Gauge[]>
}

export interface ControlledInstanode extends ControlledServer<InstanodeView> {
  /**
   * Upgrades or downgrades an account.
   *
   * @throws Refusal `unknown_account`
   */
  setPlan(accountId: string, plan: (typeof PLANS)[number]): Promise<AccountState>
}

/** The calls that somebody has to approve. */
export interface ControlledApprovals {
  /** All that are remembered, the oldest first. */
  list(): Approval[]
  /**
   * Decides a pending one.
   *
   * @throws Refusal `unknown_approval`; `approval_decided` if it is pending no more
   */
  decide(id: string, decision: ApprovalDecision): Approval
}

/** A gateway in front of a server, as far as the control plane shows it. */
export interface ControlledGateway {
  readonly view: GatewayView
  readonly approvals: ControlledApprovals
}

export interface ControlledGateways {
  readonly all: readonly ControlledGateway[]
  /** What all of them made of calls. */
  readonly record: GatewayRecord
}

/** What a control plane controls. `Snapshot` is whatever its owner makes of it. */
export interface Controlled<Snapshot> {
  readonly instance: Instance
  readonly instanode?: ControlledInstanode
  readonly safebot?: ControlledServer<SafebotView>
  readonly gateways: ControlledGateways
  /**
   * Begins anew.
   *
   * @param options `world`: the starting state, by its name in fixtures/worlds or as data, never a path; default: the one it began with
   */
  reset(options: { world?: string | Record<string, unknown> }): Promise<void>
  snapshot(): Promise<Snapshot>
  restore(snapshot: Snapshot): Promise<void>
  /** Lets go of a snapshot. */
  discard(snapshot: Snapshot): Promise<void>
}
