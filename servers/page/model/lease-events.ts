import type { EntryJson } from '../../../shared/journal/entry-json.js'
import { isObject } from '../../../shared/util/is-object.js'

/** A message given to a handle, or acknowledged by it; `at` in milliseconds of the instance's clock. */
export type LeaseEvent = {
  readonly room: string
  readonly handle: string
  readonly seq: number
  readonly at: number
} & ({ readonly kind: 'claimed'; readonly claimId: string } | { readonly kind: 'acked' })

const CLAIMS = ['claim_task', 'next_task']
const PATHS = { claim: /^POST \/api\/rooms\/([^/]+)\/claim$/, ack: /^POST \/api\/rooms\/([^/]+)\/ack$/ }

/** Whether a call may have taken a lease: its answer tells. */
export function mayClaim({ tool, method, outcome }: EntryJson): boolean {
  return outcome === 'ok' && (CLAIMS.includes(tool ?? '') || roomOfPath(method, 'claim') !== undefined)
}

/** What a call did to leases. @param answer of a call that {@link mayClaim}; null: it is not known */
export function leaseEventsOf(entry: EntryJson, answer: string | null): LeaseEvent[] {
  if (entry.outcome !== 'ok') return []
  if (mayClaim(entry)) return answer === null ? [] : claimed(entry, parsed(answer))
  return acked(entry)
}

function claimed({ tool, method, at, raw, seq: call }: EntryJson, answer: unknown): LeaseEvent[] {
  const byTool = within(answer, 'result', 'structuredContent')
  const source = tool === null ? answer : byTool
  const message = within(source, tool === null ? 'message' : 'task')
  const room = tool === null ? roomOfPath(method, 'claim') : within(source, 'room_id')
  const handle = tool === null ? within(parsed(raw), 'handle') : within(source, 'handle')
  const [seq, ts] = [within(message, 'seq'), within(message, 'ts')]
  if (typeof room !== 'string' || typeof handle !== 'string' || typeof seq !== 'number') return []
  // A call that was parked has its message from when that came.
  const since = Math.max(Date.parse(at), typeof ts === 'number' ? ts : 0)
  const claimId = within(source, 'claim_id')
  const common = { room, handle, seq, at: since }
  if (typeof claimId === 'string') return [{ ...common, kind: 'claimed', claimId }]
  // next_task acknowledges by itself, and keeps the claim to itself.
  return [
    { ...common, kind: 'claimed', claimId: `call ${call}` },
    { ...common, kind: 'acked' },
  ]
}

function acked({ tool, method, caller, at, arguments: args, raw }: EntryJson): LeaseEvent[] {
  const byTool = tool === 'ack_task'
  const room = byTool ? roomOfUrl(within(args, 'url')) : roomOfPath(method, 'ack')
  const given = byTool ? args : parsed(raw)
  const handle = byTool ? caller : within(given, 'handle')
  const seq = Number(within(given, 'seq'))
  if (room === undefined || typeof handle !== 'string' || !Number.isSafeInteger(seq)) return []
  return [{ kind: 'acked', room, handle, seq, at: Date.parse(at) }]
}

function roomOfUrl(url: unknown): string | undefined {
  return typeof url === 'string' ? /\/room\/([\w-]+)/.exec(url)?.[1] : undefined
}

function roomOfPath(method: string | null, what: 'claim' | 'ack'): string | undefined {
  return PATHS[what].exec(method ?? '')?.[1]
}

/** What stands in a value at a path; undefined if nothing does. */
function within(value: unknown, ...path: string[]): unknown {
  return path.reduce<unknown>((inner, key) => (isObject(inner) ? inner[key] : undefined), value)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
