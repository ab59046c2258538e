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
  /** The schemas for the states of both servers, even if this instance has only one of them. */
  readonly views: ViewSchemas
  readonly gateways: ControlledGateways
  /**
   * Resets the instance to a world.
   *
   * @param options `world` is the name of a world in fixtures/worlds, or the world itself. It is never a
   *   path. Default: the world with which the instance was started
   */
  reset(options: { world?: string | Record<string, unknown> }): Promise<void>
  snapshot(): Promise<Snapshot>
  restore(snapshot: Snapshot): Promise<void>
  /** Frees the resources of a snapshot that is no longer needed. */
  discard(snapshot: Snapshot): Promise<void>
  /**
   * Starts the rehearsal that waits for its start. The method is missing if no rehearsal uses this instance.
   *
   * @returns true if a rehearsal was waiting
   */
  startRehearsal?(): boolean
}
