import type { Acked, AckUnanswered, Claimed, ClaimUnanswered, Sent } from './event.js'

/** A lease, as the workers saw it. Workers of one handle that claim while the lease is held all get the same lease. */
export interface Lease {
  readonly claimId: string
  readonly seq: number
  readonly text: string
  /** It cannot have been granted before this. */
  readonly grantedFrom: number
  /** It had been granted by this. */
  readonly grantedBy: number
  /** It cannot have been acknowledged before this; Infinity: it never was. */
  readonly ackedFrom: number
  /** When each delivery of it was asked for, and answered. */
  readonly deliveries: readonly Claimed[]
  readonly acks: readonly Acked[]
}

/** The observed events of one cursor. */
export interface CursorHistory {
  readonly claims: readonly Claimed[]
  readonly unanswered: readonly ClaimUnanswered[]
  readonly acks: readonly Acked[]
  readonly unansweredAcks: readonly AckUnanswered[]
  /** Of its room, by seq. */
  readonly sent: ReadonlyMap<number, Sent>
}

/** The leases of one cursor, in the order in which they were first seen. */
export function leasesOf(history: CursorHistory): Lease[] {
  const byId = new Map<string, Claimed[]>()
  for (const claim of history.claims) byId.set(claim.claimId, [...(byId.get(claim.claimId) ?? []), claim])
  return [...byId.values()]
    .map(deliveries => leaseOf(deliveries, history))
    .toSorted((one, other) => one.grantedBy - other.grantedBy)
}

function leaseOf(deliveries: readonly Claimed[], history: CursorHistory): Lease {
  const inOrder = deliveries.toSorted((one, other) => one.ended - other.ended)
  const [first] = inOrder
  if (first === undefined) throw new Error('a lease needs at least one delivery')
  const { claimId, seq, text } = first
  const acks = history.acks.filter(ack => ack.claimId === claimId)
  const tried = [...acks, ...history.unansweredAcks.filter(ack => ack.claimId === claimId)]
  return {
    ...{ claimId, seq, text, deliveries: inOrder, acks },
    grantedFrom: grantedFrom(first, deliveries, history),
    grantedBy: first.ended,
    ackedFrom: Math.min(Number.POSITIVE_INFINITY, ...tried.map(({ begun }) => begun)),
  }
}

/**
 * A call whose answer was lost may have been the one that was granted the lease: then it began with that call. But not before its
 * message was sent, nor while another lease was seen to be given.
 */
function grantedFrom(
  first: Claimed,
  own: readonly Claimed[],
  { claims, unanswered, sent }: CursorHistory,
): number {
  const begun = Math.min(...own.map(claim => claim.begun))
  const others = claims.filter(({ claimId, ended }) => claimId !== first.claimId && ended <= begun)
  const floor = Math.max(
    sent.get(first.seq)?.begun ?? Number.NEGATIVE_INFINITY,
    ...others.map(claim => claim.begun),
  )
  const lost = unanswered.filter(claim => claim.begun < begun).map(claim => claim.begun)
  return Math.min(begun, Math.max(floor, Math.min(begun, ...lost)))
}
