import { computed, signal } from '@preact/signals'
import type { Approval } from '../../../shared/schemas/approval.js'
import type { GatewayEntry } from '../../../shared/schemas/audit.js'
import type { GatewayView } from '../../../shared/schemas/gateway.js'
import { eachFrame } from '../browser-time.js'
import { DECISIONS, EMPTY_AUDIT_LOG, pendingAt, withApprovals, withDecisions } from '../model/gateway-log.js'
import { instanceNow } from './clock.js'
import { openStream } from './connection.js'
import { LogView } from './log-view.js'
import { ask } from './request.js'
import { refreshSoon } from './state.js'

/** The gateways in front of the servers. */
export const gateways = signal<readonly GatewayView[]>([])

/** The latest decisions of the gateways, and their number. */
export const audit = signal(EMPTY_AUDIT_LOG)

/** The filter, and the open and the focused row, of the list of decisions. */
export const decisionView = new LogView(
  computed(() => audit.value.entries),
  DECISIONS,
)

/** The pending approvals by id, including those that have expired. */
const approvals = signal<ReadonlyMap<string, Approval>>(new Map())

/** The pending approvals that have not expired. */
export const pending = computed(() => pendingAt(approvals.value.values(), instanceNow.value))

/** The decisions and the approvals that have arrived since the last frame. */
let newDecisions: GatewayEntry[] = []
let newApprovals: Approval[] = []

/**
 * Maximum number of events that wait for a frame. A hidden page has no frames, so further events are
 * processed immediately.
 */
const MAX_BUFFERED_EVENTS = 500

function processEvents(): void {
  if (newDecisions.length > 0) audit.value = withDecisions(audit.value, newDecisions)
  if (newApprovals.length > 0) approvals.value = withApprovals(approvals.value, newApprovals)
  newDecisions = []
  newApprovals = []
}

const processEventsSoon = eachFrame(processEvents)

function changed(): void {
  if (newDecisions.length + newApprovals.length < MAX_BUFFERED_EVENTS) processEventsSoon()
  else processEvents()
}

let streaming = false

/**
 * Opens the stream of the gateways if the instance has a gateway. An instance gets no gateway after its
 * start.
 */
export async function followGateways(): Promise<void> {
  const { gateways: all } = await ask<{ gateways: GatewayView[] }>('GET', '/gateways')
  gateways.value = all
  if (all.length === 0 || streaming) return
  streaming = true
  openStream({
    path: '/gateways/audit/stream?after=0',
    began: forget,
    on: {
      audit: data => {
        newDecisions.push(JSON.parse(data))
        changed()
        refreshSoon()
      },
      approval: data => {
        newApprovals.push(JSON.parse(data))
        changed()
      },
      cleared: forget,
    },
  })
}

function forget(): void {
  newDecisions = []
  newApprovals = []
  audit.value = EMPTY_AUDIT_LOG
  decisionView.reset()
  approvals.value = new Map()
}
