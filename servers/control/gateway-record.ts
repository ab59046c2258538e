import type { Approval } from '../../shared/schemas/approval.js'
import type { AuditEntry, AuditFilter, AuditOutcome, GatewayEntry } from '../../shared/schemas/audit.js'
import type { ChangeSource, ChangeWatcher } from './change-feed.js'

/** Number of events that are kept. The audit of one gateway keeps the same number. */
const MAX_EVENTS = 10_000

/** A decision about a call, or a new or changed approval. */
export type GatewayChange = { readonly changed: number } & (
  | { readonly kind: 'audit'; readonly entry: GatewayEntry }
  | { readonly kind: 'approval'; readonly approval: Approval & { server: string } }
)

/** Number of decisions with this outcome by the gateway of this server. */
export interface OutcomeCount {
  server: string
  outcome: AuditOutcome
  count: number
}

/** Records the decisions and approvals of all gateways of an instance, in one order. */
export class GatewayRecord implements ChangeSource<GatewayChange> {
  readonly #onError: (error: unknown) => void
  readonly #watchers = new Set<ChangeWatcher<GatewayChange>>()
  readonly #counts = new Map<string, OutcomeCount>()
  #events: GatewayChange[] = []
  #changes = 0
  #seq = 0
  #dropped = 0
  /** The number of the latest change that was dropped. 0 if none was dropped. */
  #lastDropped = 0

  /** @param onError receives the error of a watcher that throws */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError
  }

  get changes(): number {
    return this.#changes
  }

  get dropped(): number {
    return this.#dropped
  }

  /**
   * Number of decisions since the start for each server and outcome. `clear` does not change these numbers.
   */
  get counts(): OutcomeCount[] {
    return [...this.#counts.values()]
  }

  /** Records the decision of a server's gateway about a call. */
  judged(server: string, entry: AuditEntry): void {
    this.#count(server, entry.outcome)
    this.#add({ changed: ++this.#changes, kind: 'audit', entry: { ...entry, server, seq: ++this.#seq } })
  }

  /** Records a new or changed approval. */
  turned(server: string, approval: Approval): void {
    this.#add({ changed: ++this.#changes, kind: 'approval', approval: { ...approval, server } })
  }

  /** Returns the decisions that match `where` and have a seq above `after`, the oldest first. */
  page({ after = 0, limit = 1000, ...where }: AuditFilter & { after?: number; limit?: number } = {}): {
    entries: GatewayEntry[]
    next: number
    dropped: number
  } {
    const entries: GatewayEntry[] = []
    let next = after
    for (const event of this.#events) {
      if (event.kind !== 'audit' || event.entry.seq <= after) continue
      if (entries.length === limit) break
      next = event.entry.seq
      if (matchesFilter(event, where)) entries.push(event.entry)
    }
    return { entries, next, dropped: this.#dropped }
  }

  changesAfter(change: number, limit: number): { entries: GatewayChange[]; complete: boolean } {
    const later = this.#events.filter(({ changed }) => changed > change)
    return { entries: later.slice(0, limit), complete: this.#lastDropped <= change }
  }

  watch(watcher: ChangeWatcher<GatewayChange>): () => void {
    this.#watchers.add(watcher)
    return () => void this.#watchers.delete(watcher)
  }

  /** Removes all events. The next `seq` continues the numbering. */
  clear(): void {
    this.#events = []
    this.#dropped = 0
    this.#lastDropped = 0
    for (const watcher of this.#watchers) watcher.cleared?.()
  }

  /** Ends every stream. Call this when no further events will come. */
  stop(): void {
    for (const watcher of [...this.#watchers]) watcher.stopped?.()
    this.#watchers.clear()
  }

  #add(event: GatewayChange): void {
    this.#events.push(event)
    // Each trim moves ten thousand events in memory, which is slow. Most calls therefore do not trim.
    if (this.#events.length >= 2 * MAX_EVENTS) this.#trim()
    for (const watcher of this.#watchers) {
      try {
        watcher.entry(event)
      } catch (error) {
        this.#onError(error)
      }
    }
  }

  #trim(): void {
    const dropped = this.#events.splice(0, this.#events.length - MAX_EVENTS)
    this.#dropped += dropped.filter(({ kind }) => kind === 'audit').length
    this.#lastDropped = dropped.at(-1)?.changed ?? this.#lastDropped
  }

  #count(server: string, outcome: AuditOutcome): void {
    const key = `${server} ${outcome}`
    const counted = this.#counts.get(key) ?? { server, outcome, count: 0 }
    counted.count++
    this.#counts.set(key, counted)
  }
}

/** Returns whether an event matches a filter. `outcome` does not filter approvals, which have no outcome. */
export function matchesFilter(event: GatewayChange, { server, tool, outcome }: AuditFilter): boolean {
  const subject = event.kind === 'audit' ? event.entry : event.approval
  return (
    (server === undefined || subject.server === server) &&
    (tool === undefined || subject.tool === tool) &&
    (outcome === undefined || event.kind === 'approval' || event.entry.outcome === outcome)
  )
}
