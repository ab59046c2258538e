import type { Advanced, Claimed, HistoryEvent, Sent } from './event.js'
import { type CursorHistory, type Lease, leasesOf } from './leases.js'
import { ServiceTime } from './service-time.js'

/** How long a lease is good, in milliseconds: valid up to and including this. */
const LEASE_MS = 60_000

/** An event, or a missing event, that breaks a rule of delivery. */
export interface Violation {
  readonly rule:
    | 'lost'
    | 'not acknowledged'
    | 'invented'
    | 'two live leases'
    | 'delivered after acknowledged'
    | 'stale acknowledgement accepted'
    | 'out of order'
    | 'seq given twice'
  readonly where: string
  readonly what: string
}

/** How much a history holds. */
export interface Counts {
  sends: number
  deliveries: number
  /** Of those, under another claim id than the one before. */
  redeliveries: number
  acknowledged: number
  refused: number
  unanswered: number
  troubles: number
}

export interface Verdict {
  readonly violations: readonly Violation[]
  readonly counts: Counts
}

/**
 * Judges a history by the promises of ordered at-least-once delivery. Only certain violations count. While a call has no answer,
 * every outcome that is possible is taken to be right.
 *
 * @param handles the handles that must get every message, by room. At the end of the history no message may be left for them
 */
export function checkHistory(
  events: readonly HistoryEvent[],
  handles: Readonly<Record<string, readonly string[]>>,
): Verdict {
  const time = new ServiceTime(events.filter((event): event is Advanced => event.kind === 'advanced'))
  const violations: Violation[] = []
  let redeliveries = 0
  for (const [room, names] of Object.entries(handles)) {
    const here = events.filter(event => 'room' in event && event.room === room)
    const { sent, doubles } = bySeq(here)
    violations.push(...doubles.map(double => violation('seq given twice', room, double)))
    const texts = new Set(
      here.flatMap(event => (event.kind === 'sent' || event.kind === 'send unanswered' ? event.text : [])),
    )
    for (const handle of names) {
      const history = cursorHistory(here, handle, sent)
      const leases = leasesOf(history)
      redeliveries += leases.length - new Set(leases.map(({ seq }) => seq)).size
      const where = `${room} ${handle}`
      violations.push(
        ...completeness(history, where),
        ...invented(history, texts, where),
        ...exclusiveness(leases, time, where),
        ...fencing(leases, time, where),
        ...finality(leases, where),
        ...order(leases, where),
      )
    }
  }
  return { violations, counts: { ...countsOf(events), redeliveries } }
}

/** Every message that was kept is delivered, and acknowledged. An acknowledgement without an answer may have counted. */
function completeness({ sent, claims, acks, unansweredAcks }: CursorHistory, where: string): Violation[] {
  const delivered = new Set(claims.map(({ seq }) => seq))
  const done = new Set([...acks, ...unansweredAcks].map(({ seq }) => seq))
  return [...sent.values()].flatMap(({ seq, text }) => {
    if (!delivered.has(seq)) return violation('lost', where, `${seq} (${text}) was never delivered`)
    return done.has(seq)
      ? []
      : violation(
          'not acknowledged',
          where,
          `${seq} (${text}) was delivered, and no worker could acknowledge it`,
        )
  })
}

function invented({ claims, sent }: CursorHistory, texts: ReadonlySet<string>, where: string): Violation[] {
  return claims.flatMap(({ seq, text }) => {
    const known = sent.get(seq)
    if (known === undefined ? texts.has(text) : known.text === text) return []
    return violation('invented', where, `${seq} was delivered as ${text}`)
  })
}

/** Another lease is given only when the one before is acknowledged or has run out. */
function exclusiveness(leases: readonly Lease[], time: ServiceTime, where: string): Violation[] {
  return leases.flatMap((lease, at) =>
    leases.slice(at + 1).flatMap(later => {
      const [first] = later.deliveries
      if (first === undefined || lease.grantedBy > first.begun || lease.ackedFrom < later.grantedBy) return []
      const runsOut = time.earliest(lease.grantedFrom) + LEASE_MS
      if (time.latest(later.grantedBy) > runsOut) return []
      return violation(
        'two live leases',
        where,
        `${lease.seq} was held under ${lease.claimId} as ${later.seq} was given out under ${later.claimId}`,
      )
    }),
  )
}

/** A lease that has run out, or that another has followed, cannot be acknowledged any more. */
function fencing(leases: readonly Lease[], time: ServiceTime, where: string): Violation[] {
  return leases.flatMap((lease, at) => {
    const successor = leases.slice(at + 1).find(later => lease.grantedBy <= (later.deliveries[0]?.begun ?? 0))
    return lease.acks
      .filter(({ advanced }) => advanced)
      .flatMap(({ begun }) => {
        const late = time.earliest(begun) > time.latest(lease.grantedBy) + LEASE_MS
        const followed = successor !== undefined && successor.grantedBy <= begun
        if (!late && !followed) return []
        const why = followed ? `${successor.claimId} had followed it` : 'it had run out'
        return violation(
          'stale acknowledgement accepted',
          where,
          `${lease.seq} under ${lease.claimId}, though ${why}`,
        )
      })
  })
}

/** An acknowledged message is not delivered again. */
function finality(leases: readonly Lease[], where: string): Violation[] {
  const acks = leases.flatMap(({ acks }) => acks)
  return leases.flatMap(({ deliveries }) =>
    deliveries.flatMap(delivery => {
      const before = acks.find(({ seq, ended }) => seq >= delivery.seq && ended <= delivery.begun)
      if (before === undefined) return []
      return violation(
        'delivered after acknowledged',
        where,
        `${delivery.seq}, though ${before.seq} was acknowledged`,
      )
    }),
  )
}

/** Messages are delivered in the order in which they were sent. */
function order(leases: readonly Lease[], where: string): Violation[] {
  const firsts = new Map<number, Claimed>()
  for (const { seq, deliveries } of leases) {
    const [first] = deliveries
    if (first !== undefined && !firsts.has(seq)) firsts.set(seq, first)
  }
  const inOrder = [...firsts.values()].toSorted((one, other) => one.seq - other.seq)
  return inOrder.flatMap((earlier, at) => {
    const later = inOrder[at + 1]
    if (later === undefined || later.ended > earlier.begun) return []
    return violation(
      'out of order',
      where,
      `${later.seq} was delivered before ${earlier.seq} was for the first time`,
    )
  })
}

function bySeq(events: readonly HistoryEvent[]): { sent: ReadonlyMap<number, Sent>; doubles: string[] } {
  const sent = new Map<number, Sent>()
  const doubles: string[] = []
  for (const event of events) {
    if (event.kind !== 'sent') continue
    const known = sent.get(event.seq)
    if (known !== undefined) doubles.push(`${event.seq} is ${known.text}, and ${event.text}`)
    sent.set(event.seq, event)
  }
  return { sent, doubles }
}

function cursorHistory(
  events: readonly HistoryEvent[],
  handle: string,
  sent: ReadonlyMap<number, Sent>,
): CursorHistory {
  const own = events.filter(event => 'handle' in event && event.handle === handle)
  return {
    sent,
    claims: own.filter(event => event.kind === 'claimed'),
    unanswered: own.filter(event => event.kind === 'claim unanswered'),
    acks: own.filter(event => event.kind === 'acked'),
    unansweredAcks: own.filter(event => event.kind === 'ack unanswered'),
  }
}

function countsOf(events: readonly HistoryEvent[]): Omit<Counts, 'redeliveries'> {
  const count = (...kinds: HistoryEvent['kind'][]) => events.filter(({ kind }) => kinds.includes(kind)).length
  return {
    sends: count('sent'),
    deliveries: count('claimed'),
    acknowledged: events.filter(event => event.kind === 'acked' && event.advanced).length,
    refused: count('ack refused'),
    unanswered: count('send unanswered', 'claim unanswered', 'ack unanswered'),
    troubles: count('trouble'),
  }
}

function violation(rule: Violation['rule'], where: string, what: string): Violation {
  return { rule, where, what }
}
