import type { ControlledApprovals } from '../../shared/http/approval-routes.js'
import type { ControlledInstanode, ControlledServer, Instance } from '../../shared/instance.js'
import type { GatewayView } from '../../shared/schemas/gateway.js'
import type { GatewayRecord } from './gateway-record.js'
import type { ViewSchemas } from './schemas/state.js'

/** A gateway as the control plane uses it. */
export interface ControlledGateway {
  readonly view: GatewayView
  readonly approvals: ControlledApprovals
}

export interface ControlledGateways {
  readonly all: readonly ControlledGateway[]
  /** The decisions of all gateways. */
  readonly record: GatewayRecord
}

/**
 * The instance and its servers, as a control plane uses them. `Snapshot` is the type that `snapshot` returns.
 */
export interface Controlled<Snapshot> {
  readonly instance: Instance
  readonly instanode?: ControlledInstanode<unknown>
  readonly safebot?: ControlledServer<unknown>
  /** The schema of each server's view, also for a server that this instance does not have. */
  readonly views: ViewSchemas
  readonly gateways: ControlledGateways
  /**
   * Resets the instance to a world.
   *
   * @param options `world` is a name in fixtures/worlds, or the world itself. It is never a path. Default:
   *   the world of the start
   */
  reset(options: { world?: string | Record<string, unknown> }): Promise<void>
  snapshot(): Promise<Snapshot>
  restore(snapshot: Snapshot): Promise<void>
  /** Deletes a snapshot. */
  discard(snapshot: Snapshot): Promise<void>
  /**
   * Starts a waiting rehearsal.
   *
   * @returns whether a rehearsal was waiting. Undefined if this instance has none
   */
  startRehearsal?(): boolean
}
