import type { LeaseEvent } from './lease-events.js'

/** How a lease ended; `held`: it has not. */
export type LeaseEnd = 'acked' | 'expired' | 'held'

/** The time for which a handle had a message. Instants of the instance's clock, in milliseconds. */
export interface LeaseSpan {
  readonly handle: string
  readonly seq: number
  readonly claimId: string
  readonly from: number
  /** When it ended, or will. */
  readonly to: number
  readonly end: LeaseEnd
  /** Whether the handle had this message before, and let it run out. */
  readonly redelivered: boolean
}

/** A lease as the state shows it. */
export interface KnownLease {
  readonly claimId: string
  readonly claimedAt: string
  readonly expiresAt: string
}

/** What a claim gets that asks for nothing else. What it did ask for is known of those that the state has shown. */
const LEASE_MS = 60_000

/**
 * The leases of one room, the first claimed first.
 *
 * @param events of that room, in the order they came
 * @param known of those that a state has shown, by claim id
 * @param cursors how far each handle has got
 */
export function leaseSpans(
  events: readonly LeaseEvent[],
  known: ReadonlyMap<string, KnownLease>,
  cursors: ReadonlyMap<string, number>,
  now: number,
): LeaseSpan[] {
  const spans = new Map<string, LeaseSpan>()
  for (const event of events) {
    if (event.kind === 'acked') end(spans, event)
    else if (!goesOn(spans.get(event.claimId), event)) {
      // The id of one that is over comes again with a reset.
      spans.delete(event.claimId)
      const span = begun(event, known.get(event.claimId), spans)
      overtake(spans, span)
      spans.set(event.claimId, span)
    }
  }
  return [...spans.values()].map(span => {
    if (span.end !== 'held') return span
    // Of an acknowledgement whose answer was lost, the cursor alone tells.
    if ((cursors.get(span.handle) ?? 0) >= span.seq)
      return { ...span, to: Math.min(span.to, now), end: 'acked' }
    return now > span.to ? { ...span, end: 'expired' } : span
  })
}

/** Whether a lease is still held when its message is claimed again. */
function goesOn(span: LeaseSpan | undefined, { at }: LeaseEvent): boolean {
  return span !== undefined && span.end === 'held' && at <= span.to
}

/** A handle holds one message at a time: what it held before it claimed another has ended by then. */
function overtake(spans: Map<string, LeaseSpan>, next: LeaseSpan): void {
  for (const span of spans.values()) {
    if (span.handle !== next.handle || span.end !== 'held') continue
    const end = next.seq > span.seq ? 'acked' : 'expired'
    spans.set(
      span.claimId,
      next.from <= span.to ? { ...span, to: next.from, end } : { ...span, end: 'expired' },
    )
  }
}

function begun(
  { handle, seq, claimId, at }: LeaseEvent & { kind: 'claimed' },
  known: KnownLease | undefined,
  earlier: ReadonlyMap<string, LeaseSpan>,
): LeaseSpan {
  const from = known === undefined ? at : Date.parse(known.claimedAt)
  const to = known === undefined ? at + LEASE_MS : Date.parse(known.expiresAt)
  const redelivered = [...earlier.values()].some(span => span.handle === handle && span.seq === seq)
  return { handle, seq, claimId, from, to, end: 'held', redelivered }
}

function end(spans: Map<string, LeaseSpan>, { handle, seq, at }: LeaseEvent): void {
  for (const span of [...spans.values()].reverse()) {
    if (span.handle !== handle || span.seq !== seq) continue
    if (span.end === 'held') spans.set(span.claimId, { ...span, to: at, end: 'acked' })
    return
  }
}
