import { computed, signal } from '@preact/signals'
import type { Approval } from '../../../shared/schemas/approval.js'
import type { GatewayEntry } from '../../../shared/schemas/audit.js'
import type { GatewayView } from '../../../shared/schemas/gateway.js'
import { eachFrame } from '../browser-time.js'
import { DECISIONS, NOTHING_ASKED, pendingAt, withJudged, withTurned } from '../model/gateway-log.js'
import { instanceNow } from './clock.js'
import { keepTo } from './connection.js'
import { LogView } from './log-view.js'
import { ask } from './request.js'
import { somethingHappened } from './state.js'

/** The gateways in front of the servers. */
export const gateways = signal<readonly GatewayView[]>([])

/** The decisions of the gateways. */
export const audit = signal(NOTHING_ASKED)

/** The view of the decisions. */
export const decisionView = new LogView(
  computed(() => audit.value.entries),
  DECISIONS,
)

/** The approvals by id. */
const approvals = signal<ReadonlyMap<string, Approval>>(new Map())

/** The pending approvals. */
export const pending = computed(() => pendingAt(approvals.value.values(), instanceNow.value))

/** Decisions and approvals that have arrived since the last frame. */
let judged: GatewayEntry[] = []
let turned: Approval[] = []

/**
 * Maximum number of events that wait for a frame. A hidden page has no frames, so further events are
 * processed immediately.
 */
const MAX_BUFFERED_EVENTS = 500

function takeIn(): void {
  if (judged.length > 0) audit.value = withJudged(audit.value, judged)
  if (turned.length > 0) approvals.value = withTurned(approvals.value, turned)
  judged = []
  turned = []
}

const takeInSoon = eachFrame(takeIn)

function changed(): void {
  if (judged.length + turned.length < MAX_BUFFERED_EVENTS) takeInSoon()
  else takeIn()
}

let keeping = false

/**
 * Opens the stream of gateways if the instance has any. No gateway is added to an instance after its start.
 */
export async function hearOfGateways(): Promise<void> {
  const { gateways: all } = await ask<{ gateways: GatewayView[] }>('GET', '/gateways')
  gateways.value = all
  if (all.length === 0 || keeping) return
  keeping = true
  keepTo({
    path: '/gateways/audit/stream?after=0',
    began: forget,
    on: {
      audit: data => {
        judged.push(JSON.parse(data))
        changed()
        somethingHappened()
      },
      approval: data => {
        turned.push(JSON.parse(data))
        changed()
      },
      cleared: forget,
    },
  })
}

function forget(): void {
  judged = []
  turned = []
  audit.value = NOTHING_ASKED
  decisionView.reset()
  approvals.value = new Map()
}
