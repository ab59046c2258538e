import { staleClaim } from './refusals.js'

/** Milliseconds of a lease. It is valid up to and including this time. */
export const LEASE_MS = 60_000

/** The longest lease that a claim may request, in milliseconds. */
const MAX_LEASE_MS = 300_000

/**
 * Returns the milliseconds of a lease.
 *
 * @param ms requested milliseconds. NaN, 0 or less means the default.
 */
export function leaseMs(ms: number): number {
  return ms > 0 ? Math.min(Math.max(ms, LEASE_MS), MAX_LEASE_MS) : LEASE_MS
}

/** A message that a consumer has claimed and not acknowledged. */
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
 * The cursor and the lease of one handle in one room: the lease state machine.
 *
 * A consumer is *free* or *leased*. It starts free, with its cursor before the first message.
 *
 * - **claim**, free: takes the oldest message after its cursor that is not its own, and is leased.
 * - **claim**, leased, lease valid: returns the same message and claim id again. The lease is not extended.
 *   Two
 *   workers with the same handle are one consumer, so they share the lease.
 * - **claim**, leased, lease expired or its message no longer buffered: becomes free, and claims as above. An
 *   expired
 *   message gets a new claim id. This is the redelivery.
 * - **ack** of its lease in time: the cursor moves to that message, and it is free.
 * - **ack** at or below the cursor, except 0: already done. Nothing changes, with any claim id.
 * - **ack** of anything else, such as an expired lease: refused as stale. Nothing changes.
 * - **release** of its lease: free again with the same cursor. The next claim gets the message.
 *
 * A lease is checked when it is read. No timer runs. Instances are immutable.
 */
export class Consumer {
  readonly handle: string
  readonly roomId: string
  /** The last acknowledged `seq`; 0 before the first. */
  readonly cursor: number
  readonly lease: Lease | null
  /** Labels that it last sent under. Messages from these labels are its own, and are not delivered to it. */
  readonly labels: readonly string[]

  constructor({ handle, roomId, cursor = 0, lease = null, labels = [] }: ConsumerFields) {
    this.handle = handle
    this.roomId = roomId
    this.cursor = cursor
    this.lease = lease
    this.labels = labels
  }

  /** Returns the lease if it is still valid. */
  held(now: number): Lease | null {
    return this.lease !== null && now - this.lease.claimedAt <= this.lease.ttlMs ? this.lease : null
  }

  /** The senders of its own messages: its handle in both spellings, and its labels. */
  get ownSenders(): readonly string[] {
    return [this.handle, `@${this.handle}`, ...this.labels]
  }

  /** Moves the cursor past messages that the buffer has dropped. */
  from(oldestSeq: number): Consumer {
    return this.cursor >= oldestSeq - 1 ? this : this.#with({ cursor: oldestSeq - 1 })
  }

  /** Sets the labels. */
  withLabels(labels: readonly string[]): Consumer {
    return this.#with({ labels })
  }

  /** Takes a lease on `seq`. */
  take(seq: number, claimId: string, now: number, ttlMs = LEASE_MS): Consumer {
    return this.#with({ lease: { claimId, seq, claimedAt: now, ttlMs } })
  }

  /** @throws ServiceRefusal 409 if the claim is not the one it holds */
  ack(claimId: string, seq: number, now: number): { consumer: Consumer; advanced: boolean } {
    if (seq !== 0 && seq <= this.cursor) return { consumer: this, advanced: false }
    const validLease = this.held(now)
    if (validLease === null || validLease.claimId !== claimId || validLease.seq !== seq)
      throw staleClaim(this.cursor)
    return { consumer: this.#with({ cursor: seq, lease: null }), advanced: true }
  }

  /** Ends the lease of that claim. Another lease stays. */
  release(claimId: string): Consumer {
    return this.lease?.claimId === claimId ? this.#with({ lease: null }) : this
  }

  #with(change: Partial<ConsumerFields>): Consumer {
    const { handle, roomId, cursor, lease, labels } = this
    return new Consumer({ handle, roomId, cursor, lease, labels, ...change })
  }
}
