import { ControlClient as GenericClient } from '../shared/control/client/control-client.js'
import { type InstanodeView, instanodeView } from '../shared/control/schemas/instanode-view.js'
import { type SafebotView, safebotView } from '../shared/control/schemas/safebot-view.js'
import { type StateAnswer, stateAnswer } from '../shared/control/schemas/state.js'

export type { SnapshotSummary } from '../shared/control/client/control-client.js'
export { ControlError } from '../shared/control/client/control-error.js'
export type { GatewayEvent } from '../shared/control/client/gateway-events.js'
export type { StreamRequest } from '../shared/control/client/journal.js'
export type { JournalEvent } from '../shared/control/client/journal-events.js'
export type { AccountState } from '../shared/control/schemas/account.js'
export type { Approval, ApprovalDecision } from '../shared/control/schemas/approval.js'
export type { AuditFilter, GatewayEntry } from '../shared/control/schemas/audit.js'
export type { ClockState } from '../shared/control/schemas/clock.js'
export type { GatewayView } from '../shared/control/schemas/gateway.js'
export type { Replicas } from '../shared/control/schemas/replicas.js'
export type { EntryJson } from '../shared/journal/entry-json.js'
export type { InstanodeView, SafebotView }

/** What exists now, of the servers that the instance has. */
export type State = StateAnswer<InstanodeView, SafebotView>

/**
 * The control plane of an instance that runs elsewhere: what `createUnderstudy` returns in process, over HTTP.
 *
 * Every method rejects with a `ControlError` that carries the code and the hint of the control plane.
 */
export class ControlClient extends GenericClient<State> {
  /** @param url of the control plane: `http://127.0.0.1:4800`, or what `up --json` prints under `control` */
  constructor(url: string) {
    super(url, stateAnswer({ instanode: instanodeView, safebot: safebotView }))
  }
}
