import { computed, signal } from '@preact/signals'
import type { Approval } from '../../schemas/approval.js'
import type { GatewayEntry } from '../../schemas/audit.js'
import type { GatewayView } from '../../schemas/gateway.js'
import { pendingAt } from '../model/pending.js'
import { ask } from './ask.js'
import { instanceNow } from './clock.js'
import { keepTo } from './connection.js'
import { somethingHappened } from './state.js'

/** Judged calls that are shown. */
const MOST = 500

/** The gateways in front of the servers. */
export const gateways = signal<readonly GatewayView[]>([])

/** What they made of calls, the latest first. */
export const audit = signal<readonly GatewayEntry[]>([])

const approvals = signal<ReadonlyMap<string, Approval>>(new Map())

/** The calls that somebody has to decide. */
export const pending = computed(() => pendingAt(approvals.value.values(), instanceNow.value))

let keeping = false

/** Has the page hear of gateways, if there are any. An instance gets none later. */
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
        audit.value = [JSON.parse(data), ...audit.value].slice(0, MOST)
        somethingHappened()
      },
      approval: data => {
        const approval: Approval = JSON.parse(data)
        approvals.value = new Map(approvals.value).set(approval.id, approval)
      },
      cleared: forget,
    },
  })
}

function forget(): void {
  audit.value = []
  approvals.value = new Map()
}
