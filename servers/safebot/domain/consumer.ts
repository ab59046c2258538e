import { staleClaim } from './refusals.js'

/**
 * Duration of a lease in milliseconds. The lease is still valid at its last millisecond. The service's
 * number.
 */
export const LEASE_MS = 60_000

/** Maximum duration that a claim may request, in milliseconds. The service's number. */
const MAX_LEASE_MS = 300_000

/**
 * Returns the duration of a lease in milliseconds: the requested one, but at least {@link LEASE_MS} and at
 * most {@link MAX_LEASE_MS}.
 *
 * @param ms requested milliseconds. NaN, 0 and negative numbers request the default, {@link LEASE_MS}.
 */
export function leaseMs(ms: number): number {
  return ms > 0 ? Math.min(Math.max(ms, LEASE_MS), MAX_LEASE_MS) : LEASE_MS
}

/** The lease of a claimed message, while the message is not acknowledged. */
export interface Lease {
  readonly claimId: string
  readonly seq: number
  /** Instant of the claim, in milliseconds since the epoch. */
  readonly claimedAt: number
  /** Duration in milliseconds. */
  readonly ttlMs: number
}

type ConsumerFields = Pick<Consumer, 'handle' | 'roomId'> &
  Partial<Pick<Consumer, 'cursor' | 'lease' | 'labels'>>

/**
 * The state machine of one handle in one room: a cursor, and at most one lease.
 *
 * A consumer is *free* or *leased*. It starts free, with its cursor before the first message.
 *
 * - **claim** of a free consumer: leases the oldest message after the cursor that the handle has not sent
 *   itself. The consumer becomes leased.
 * - **claim** of a leased consumer with a valid lease: returns the same message and claim id again. The lease
 *   is not extended. Two workers with the same handle are one consumer, so they share the lease.
 * - **claim** of a leased consumer whose lease has expired, or whose message is no longer buffered: the
 *   consumer becomes free and claims as above. If the claim returns the same message, its claim id is new.
 *   This is the redelivery.
 * - **ack** of a valid lease: moves the cursor to the message. The consumer becomes free.
 * - **ack** of a `seq` at or below the cursor, except 0: changes nothing and succeeds, with any claim id.
 * - **ack** of anything else, such as an expired lease: changes nothing and is refused as stale.
 * - **release** of a lease: the consumer becomes free and keeps its cursor. The next claim returns the
 *   message.
 *
 * No timer ends a lease. {@link validLease} compares the time whenever the lease is read. Instances are
 * immutable.
 */
export class Consumer {
  readonly handle: string
  readonly roomId: string
  /** The `seq` of the last acknowledged message. 0 before the first acknowledgement. */
  readonly cursor: number
  readonly lease: Lease | null
  /**
   * The labels that the latest claim named. Messages from these labels count as the handle's own, and are not
   * its tasks.
   */
  readonly labels: readonly string[]

  constructor({ handle, roomId, cursor = 0, lease = null, labels = [] }: ConsumerFields) {
    this.handle = handle
    this.roomId = roomId
    this.cursor = cursor
    this.lease = lease
    this.labels = labels
  }

  /**
   * Returns the lease if it is valid.
   *
   * @param now milliseconds since the epoch
   */
  validLease(now: number): Lease | null {
    return this.lease !== null && now - this.lease.claimedAt <= this.lease.ttlMs ? this.lease : null
  }

  /**
   * The senders whose messages are not tasks for this consumer: its handle, with and without `@`, and its
   * labels.
   */
  get ownSenders(): readonly string[] {
    return [this.handle, `@${this.handle}`, ...this.labels]
  }

  /**
   * Moves the cursor past the messages that the buffer has dropped.
   *
   * @param oldestSeq the `seq` of the oldest buffered message
   */
  skipTo(oldestSeq: number): Consumer {
    return this.cursor >= oldestSeq - 1 ? this : this.#with({ cursor: oldestSeq - 1 })
  }

  /** Replaces the labels. */
  withLabels(labels: readonly string[]): Consumer {
    return this.#with({ labels })
  }

  /** Leases the message `seq`, from `now` for `ttlMs` milliseconds. */
  startLease(seq: number, claimId: string, now: number, ttlMs = LEASE_MS): Consumer {
    return this.#with({ lease: { claimId, seq, claimedAt: now, ttlMs } })
  }

  /**
   * Acknowledges a message.
   *
   * @returns the changed consumer, and whether its cursor has moved
   * @throws ServiceRefusal 409 if `claimId` and `seq` are not those of the valid lease, and `seq` is above
   *   the cursor or 0
   */
  ack(claimId: string, seq: number, now: number): { consumer: Consumer; advanced: boolean } {
    if (seq !== 0 && seq <= this.cursor) return { consumer: this, advanced: false }
    const validLease = this.validLease(now)
    if (validLease === null || validLease.claimId !== claimId || validLease.seq !== seq)
      throw staleClaim(this.cursor)
    return { consumer: this.#with({ cursor: seq, lease: null }), advanced: true }
  }

  /** Ends the lease of a claim. Changes nothing if the claim has no lease now. */
  release(claimId: string): Consumer {
    return this.lease?.claimId === claimId ? this.#with({ lease: null }) : this
  }

  #with(change: Partial<ConsumerFields>): Consumer {
    const { handle, roomId, cursor, lease, labels } = this
    return new Consumer({ handle, roomId, cursor, lease, labels, ...change })
  }
}
