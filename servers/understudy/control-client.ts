import { ControlClient as GenericClient } from '../control/client/control-client.js'
import { type StateAnswer, stateAnswer } from '../control/schemas/state.js'
import { type InstanodeView, instanodeView } from '../instanode/view.js'
import { type SafebotView, safebotView } from '../safebot/view.js'

export type { EntryJson } from '../../shared/journal/entry.js'
export type { AccountState } from '../../shared/schemas/account.js'
export type { Approval, ApprovalDecision } from '../../shared/schemas/approval.js'
export type { AuditFilter, GatewayEntry } from '../../shared/schemas/audit.js'
export type { GatewayView } from '../../shared/schemas/gateway.js'
export type { SnapshotSummary, StreamRequest } from '../control/client/control-client.js'
export type { GatewayEvent, JournalEvent } from '../control/client/events.js'
export { ControlError } from '../control/client/http.js'
export type { ClockState } from '../control/schemas/clock.js'
export type { Replicas } from '../control/schemas/state.js'

export type { InstanodeView, SafebotView }

/** The current state of the servers of an instance. */
export type State = StateAnswer<InstanodeView, SafebotView>

/**
 * Controls an instance in another process over HTTP. Its methods correspond to the handles that
 * `createUnderstudy` returns.
 *
 * If a request fails, its method rejects with a `ControlError`, which has the code and the hint from the
 * control plane.
 */
export class ControlClient extends GenericClient<State> {
  /**
   * @param url the URL of the control plane, which `up --json` prints under `control`, e.g.
   *   `http://127.0.0.1:4800`
   */
  constructor(url: string) {
    super(url, stateAnswer({ instanode: instanodeView, safebot: safebotView }))
  }
}
