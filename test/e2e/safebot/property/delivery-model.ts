import { LEASE_MS } from '../../../../servers/safebot/domain/consumer.js'

interface ModelLease {
  seq: number
  claimId: string
  at: number
}

/** A minimal model of delivery. */
export class DeliveryModel {
  readonly sent: { seq: number; from: string }[] = []
  readonly cursors = new Map<string, number>()
  readonly leases = new Map<string, ModelLease>()
  /** Claims of each handle that are good no more. */
  readonly spent = new Map<string, ModelLease[]>()
  now = 0

  cursor(handle: string): number {
    return this.cursors.get(handle) ?? 0
  }

  /** The seq that `handle` is to be given next, if any. */
  due(handle: string): number | undefined {
    return (
      this.live(handle)?.seq ??
      this.sent.find(({ seq, from }) => seq > this.cursor(handle) && from !== handle)?.seq
    )
  }

  live(handle: string): ModelLease | undefined {
    const lease = this.leases.get(handle)
    return lease !== undefined && this.now - lease.at <= LEASE_MS ? lease : undefined
  }

  taken(handle: string, seq: number, claimId: string): void {
    if (this.live(handle) !== undefined) return
    this.spend(handle)
    this.leases.set(handle, { seq, claimId, at: this.now })
  }

  acked(handle: string, seq: number): void {
    this.spend(handle)
    this.cursors.set(handle, seq)
  }

  private spend(handle: string): void {
    const lease = this.leases.get(handle)
    if (lease === undefined) return
    this.leases.delete(handle)
    this.spent.set(handle, [...(this.spent.get(handle) ?? []), lease])
  }
}
