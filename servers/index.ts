export type { Catalogue, OverlayStatus } from '../shared/catalogue/catalogue.js'
export type { Overlay } from '../shared/catalogue/overlay.js'
export type { Clock } from '../shared/clock/clock.js'
export { Refusal } from '../shared/errors.js'
export type { Fault } from '../shared/faults/fault.js'
export type { FaultStatus, FaultTable } from '../shared/faults/table.js'
export type { JournalEntry, Outcome } from '../shared/journal/entry.js'
export type { Journal, JournalListener, JournalPage } from '../shared/journal/journal.js'
export type { PageRequest, WaitOptions } from '../shared/journal/requests.js'
export type { JournalFilter } from '../shared/journal/where.js'
export type { Log } from '../shared/log.js'
export type { RunningAttack } from './attack/carry-out.js'
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
} from './gateway/index.js'
export type { Gateways } from './gateways.js'
export type { Handles } from './handles.js'
export type { GatewayInFront, GatewaysOptions } from './in-front.js'
export type { Account, Plan } from './instanode/domain/account.js'
export type { Delivery } from './instanode/domain/delivery.js'
export type { RunningInstanode } from './start-instanode.js'
export type { RunningSafebot } from './start-safebot.js'
export { Snapshot } from './state/snapshot.js'
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
export type { World } from './world/world.js'
