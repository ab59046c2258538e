import type { EntryJson } from '../../../shared/journal/entry.js'
import { isObject } from '../../../shared/util/objects.js'

const CLAIMS = ['claim_task', 'next_task']

const PATHS = { claim: /^POST \/api\/rooms\/([^/]+)\/claim$/, ack: /^POST \/api\/rooms\/([^/]+)\/ack$/ }

/** The way in which a lease ended. `held` means that it has not ended. */
export type LeaseEnd = 'acked' | 'expired' | 'held'

/** The time for which a handle had a lease. Instants are in milliseconds of the instance's clock. */
export interface LeaseSpan {
  readonly handle: string
  readonly seq: number
  readonly claimId: string
  readonly from: number
  /** The end of the lease. It is in the future while the lease is held. */
  readonly to: number
  readonly end: LeaseEnd
  /** True if the handle had claimed this message before. */
  readonly redelivered: boolean
}

/** A lease as the state shows it. */
export interface KnownLease {
  readonly claimId: string
  readonly claimedAt: string
  readonly expiresAt: string
}

/**
 * Default length of a lease, in milliseconds. If the state has shown a lease, its real length is used.
 */
const LEASE_MS = 60_000

/**
 * Returns the leases of one room, in the order of their claims.
 *
 * @param events the claims and acks of the room, in the order of their requests
 * @param known the leases that the state has shown, by claim id
 * @param cursors the cursor of each handle
 */
export function leaseSpans(
  events: readonly LeaseEvent[],
  known: ReadonlyMap<string, KnownLease>,
  cursors: ReadonlyMap<string, number>,
  now: number,
): LeaseSpan[] {
  const spans = new Map<string, LeaseSpan>()
  for (const event of events) {
    if (event.kind === 'acked') recordAck(spans, event)
    else if (!isStillHeld(spans.get(event.claimId), event)) {
      // After a reset, the claim id of an earlier lease can be used again.
      spans.delete(event.claimId)
      const span = newSpan(event, known.get(event.claimId), spans)
      endEarlierLeases(spans, span)
      spans.set(event.claimId, span)
    }
  }
  return [...spans.values()].map(span => {
    if (span.end !== 'held') return span
    // If the answer to an ack was lost, only the cursor shows the ack.
    if ((cursors.get(span.handle) ?? 0) >= span.seq)
      return { ...span, to: Math.min(span.to, now), end: 'acked' }
    return now > span.to ? { ...span, end: 'expired' } : span
  })
}

/** Returns whether a lease is still held at the time of another claim with the same claim id. */
function isStillHeld(span: LeaseSpan | undefined, { at }: LeaseEvent): boolean {
  return span !== undefined && span.end === 'held' && at <= span.to
}

/**
 * Ends the earlier leases of a handle when the handle gets a new lease, because a handle has only one lease
 * at a time.
 */
function endEarlierLeases(spans: Map<string, LeaseSpan>, next: LeaseSpan): void {
  for (const span of spans.values()) {
    if (span.handle !== next.handle || span.end !== 'held') continue
    const end = next.seq > span.seq ? 'acked' : 'expired'
    spans.set(
      span.claimId,
      next.from <= span.to ? { ...span, to: next.from, end } : { ...span, end: 'expired' },
    )
  }
}

function newSpan(
  { handle, seq, claimId, at }: LeaseEvent & { kind: 'claimed' },
  known: KnownLease | undefined,
  earlier: ReadonlyMap<string, LeaseSpan>,
): LeaseSpan {
  const from = known === undefined ? at : Date.parse(known.claimedAt)
  const to = known === undefined ? at + LEASE_MS : Date.parse(known.expiresAt)
  const redelivered = [...earlier.values()].some(span => span.handle === handle && span.seq === seq)
  return { handle, seq, claimId, from, to, end: 'held', redelivered }
}

function recordAck(spans: Map<string, LeaseSpan>, { handle, seq, at }: LeaseEvent): void {
  for (const span of [...spans.values()].reverse()) {
    if (span.handle !== handle || span.seq !== seq) continue
    if (span.end === 'held') spans.set(span.claimId, { ...span, to: at, end: 'acked' })
    return
  }
}

/** A claim or an ack of a message by a handle. `at` is in milliseconds of the instance's clock. */
export type LeaseEvent = {
  readonly room: string
  readonly handle: string
  readonly seq: number
  readonly at: number
} & ({ readonly kind: 'claimed'; readonly claimId: string } | { readonly kind: 'acked' })

/** Returns whether a call can start a lease. Only the answer shows whether the call did start one. */
export function mayClaim({ tool, method, outcome }: EntryJson): boolean {
  return outcome === 'ok' && (CLAIMS.includes(tool ?? '') || roomOfPath(method, 'claim') !== undefined)
}

/**
 * Returns the claims and acks that a call has made.
 *
 * @param answer the answer, if {@link mayClaim} is true for the call. Null if the answer is unknown
 */
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
  // If the message is sent while the claim waits, the lease starts at that time.
  const since = Math.max(Date.parse(at), typeof ts === 'number' ? ts : 0)
  const claimId = within(source, 'claim_id')
  const common = { room, handle, seq, at: since }
  if (typeof claimId === 'string') return [{ ...common, kind: 'claimed', claimId }]
  // next_task acknowledges its message itself, and its answer has no claim id.
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

/** Returns the value at a path of keys. Undefined if there is none. */
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

export type KnownLeases = ReadonlyMap<string, KnownLease>

/**
 * Adds leases to the known ones. Returns the same map if all leases were known. After a reset, a claim id can
 * belong to a new lease, which replaces the earlier one.
 */
export function withLeases(known: KnownLeases, seen: readonly KnownLease[]): KnownLeases {
  const newLeases = seen.filter(({ claimId, claimedAt }) => known.get(claimId)?.claimedAt !== claimedAt)
  return newLeases.length === 0
    ? known
    : new Map([...known, ...newLeases.map(lease => [lease.claimId, lease] as const)])
}
