import type { ControlledApprovals } from '../../shared/http/approval-routes.js'
import type { ControlledInstanode, ControlledServer, Instance } from '../../shared/instance.js'
import type { GatewayView } from '../../shared/schemas/gateway.js'
import type { GatewayRecord } from './gateway-record.js'
import type { ViewSchemas } from './schemas/state.js'

/** A gateway in front of a server, as far as the control plane shows it. */
export interface ControlledGateway {
  readonly view: GatewayView
  readonly approvals: ControlledApprovals
}

export interface ControlledGateways {
  readonly all: readonly ControlledGateway[]
  /** The decisions of all gateways. */
  readonly record: GatewayRecord
}

/** The instance and its servers, as a control plane uses them. `Snapshot` is the owner's own type. */
export interface Controlled<Snapshot> {
  readonly instance: Instance
  readonly instanode?: ControlledInstanode<unknown>
  readonly safebot?: ControlledServer<unknown>
  /** The schema of what each server shows, whether this instance has it or not. */
  readonly views: ViewSchemas
  readonly gateways: ControlledGateways
  /**
   * Begins anew.
   *
   * @param options `world`: the starting state, by its name in fixtures/worlds or as data, never a path;
   *   default: the one it began with
   */
  reset(options: { world?: string | Record<string, unknown> }): Promise<void>
  snapshot(): Promise<Snapshot>
  restore(snapshot: Snapshot): Promise<void>
  /** Lets go of a snapshot. */
  discard(snapshot: Snapshot): Promise<void>
  /** Starts a rehearsal that waits for it. @returns whether one was waiting. Undefined: this instance has no rehearsal */
  startRehearsal?(): boolean
}
