export type { Clock } from '../../shared/clock/clock.js'
export { Refusal } from '../../shared/errors.js'
export type { Fault } from '../../shared/faults/fault.js'
export type { FaultStatus, FaultTable } from '../../shared/faults/table.js'
export type { JournalEntry, Outcome } from '../../shared/journal/entry.js'
export type { Journal, JournalListener, JournalPage } from '../../shared/journal/journal.js'
export type { JournalFilter, PageRequest, WaitOptions } from '../../shared/journal/where.js'
export type { Overlay } from '../../shared/overlays/overlay.js'
export type { Catalogue, OverlayStatus } from '../../shared/overlays/overlays.js'
export type { Log } from '../../shared/util/log.js'
export type { World } from '../../shared/world/world.js'
export {
  type Approval,
  type ApprovalDecision,
  type Approvals,
  type Audit,
  type AuditEntry,
  createGateway,
  Gateway,
  type GatewayOptions,
  type GrantOptions,
} from '../gateway/index.js'
export type { Account, Delivery, Plan } from '../instanode/domain/model.js'
export type { RunningAttack } from './attacks.js'
export type { GatewayInFront, Gateways, GatewaysOptions } from './gateways.js'
export type { Handles } from './handles.js'
export type { RunningInstanode, RunningSafebot } from './start-servers.js'
export { Snapshot } from './state.js'
export {
  createInstanode,
  createSafebot,
  createUnderstudy,
  type InstanodeAlone,
  type InstanodeAloneOptions,
  type SafebotAlone,
  type SafebotAloneOptions,
  type Understudy,
  type UnderstudyOptions,
} from './understudy.js'
