import { staleClaim } from './refusals.js'

/** How long a claimed message is kept from being delivered again. Valid up to and including this. */
export const LEASE_MS = 60_000

/** What a claim may ask for instead, at most. */
const MAX_LEASE_MS = 300_000

/**
 * How long a lease lasts for a claim that asks for `ms`.
 *
 * @param ms milliseconds; NaN, 0 or less: it asks for nothing
 */
export function leaseMs(ms: number): number {
  return ms > 0 ? Math.min(Math.max(ms, LEASE_MS), MAX_LEASE_MS) : LEASE_MS
}

/** A message in the hands of a consumer that has not acknowledged it. */
export interface Lease {
  readonly claimId: string
  readonly seq: number
  /** Instant of the claim. */
  readonly claimedAt: number
  readonly ttlMs: number
}

type ConsumerFields = Pick<Consumer, 'handle' | 'roomId'> &
  Partial<Pick<Consumer, 'cursor' | 'lease' | 'labels'>>

/**
 * How far one handle has got in one room, and the message it holds: the lease state machine.
 *
 * A consumer is *free* or *leased*. It starts free, at the beginning of the buffer.
 *
 * - **claim**, free: takes the oldest message behind its cursor that is not its own, and is leased.
 * - **claim**, leased, lease valid: gets the same message and claim id again. The lease is not extended, and
 *   two workers that share a handle share it: they are one consumer.
 * - **claim**, leased, lease expired or its message no longer buffered: is free, and claims as above. What
 *   expired comes back under a new claim id: this is the redelivery.
 * - **ack** of the lease it holds, in time: the cursor moves to that message and it is free.
 * - **ack** at or below the cursor, 0 aside: done already, nothing changes, whatever the claim id.
 * - **ack** of anything else, a lease that ran out among it: refused as stale, nothing changes.
 * - **release** of the lease it holds: free again, cursor where it was; the next claim gets the message.
 *
 * Leases are instants judged when asked about; no timer runs. Values are never changed in place.
 */
export class Consumer {
  readonly handle: string
  readonly roomId: string
  /** The last acknowledged `seq`; 0 before the first. */
  readonly cursor: number
  readonly lease: Lease | null
  /** Names it last sent under: such messages are its own and not for it to acknowledge. */
  readonly labels: readonly string[]

  constructor({ handle, roomId, cursor = 0, lease = null, labels = [] }: ConsumerFields) {
    this.handle = handle
    this.roomId = roomId
    this.cursor = cursor
    this.lease = lease
    this.labels = labels
  }

  /** The lease, if it is still valid. */
  held(now: number): Lease | null {
    return this.lease !== null && now - this.lease.claimedAt <= this.lease.ttlMs ? this.lease : null
  }

  /** The senders of its own messages: its handle, in both spellings, and the labels it goes by. */
  get ownSenders(): readonly string[] {
    return [this.handle, `@${this.handle}`, ...this.labels]
  }

  /** Passes over what the buffer has let go. */
  from(oldestSeq: number): Consumer {
    return this.cursor >= oldestSeq - 1 ? this : this.#with({ cursor: oldestSeq - 1 })
  }

  /** Goes by these names from now on. */
  named(labels: readonly string[]): Consumer {
    return this.#with({ labels })
  }

  /** Takes a lease on `seq`. */
  take(seq: number, claimId: string, now: number, ttlMs = LEASE_MS): Consumer {
    return this.#with({ lease: { claimId, seq, claimedAt: now, ttlMs } })
  }

  /** @throws ServiceRefusal 409 if the claim is not the one it holds */
  ack(claimId: string, seq: number, now: number): { consumer: Consumer; advanced: boolean } {
    if (seq !== 0 && seq <= this.cursor) return { consumer: this, advanced: false }
    const held = this.held(now)
    if (held === null || held.claimId !== claimId || held.seq !== seq) throw staleClaim(this.cursor)
    return { consumer: this.#with({ cursor: seq, lease: null }), advanced: true }
  }

  /** Gives back the lease of that claim; any other is left alone. */
  release(claimId: string): Consumer {
    return this.lease?.claimId === claimId ? this.#with({ lease: null }) : this
  }

  #with(change: Partial<ConsumerFields>): Consumer {
    const { handle, roomId, cursor, lease, labels } = this
    return new Consumer({ handle, roomId, cursor, lease, labels, ...change })
  }
}
