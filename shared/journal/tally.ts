import type { KnownTools } from '../util/known-tools.js'
import type { JournalEntry, Outcome } from './entry.js'

/** Upper bounds of the duration groups, in milliseconds. Longer durations form one more group. */
export const DURATION_BOUNDS_MS = [0.25, 1, 2.5, 10, 50, 250, 1000, 10_000, 60_000] as const

/**
 * The common name for all unknown tools and revisions. If each invented name had its own count, callers could
 * fill the memory.
 */
const UNKNOWN = 'other'

/** The numbers of requests to one server with one protocol revision, by outcome. */
export interface RevisionCounts {
  readonly server: string
  /** Null for requests that name no revision, including requests to an HTTP API. */
  readonly protocol: string | null
  readonly outcomes: Partial<Record<Outcome, number>>
}

/** The numbers of requests to one server for one tool. `tool` is null for requests that call no tool. */
export interface Counts {
  readonly server: string
  readonly tool: string | null
  readonly outcomes: Partial<Record<Outcome, number>>
  /**
   * Number of calls in each duration group. A group has the durations above the previous bound, up to and
   * including its own bound.
   */
  readonly durations: number[]
  /** Sum of the durations, in milliseconds. */
  totalMs: number
}

/** Counts the requests that have ended since the start. Clearing the journal does not reset the counts. */
export class Tally {
  readonly #known: KnownTools
  readonly #revisions: readonly string[]
  readonly #counts = new Map<string, Map<string | null, Counts>>()
  readonly #byRevision = new Map<string, Map<string | null, RevisionCounts>>()

  /** @param revisions the protocol revisions that are counted separately */
  constructor(known: KnownTools, revisions: readonly string[]) {
    this.#known = known
    this.#revisions = revisions
  }

  /** Adds an entry that has ended. */
  count(entry: JournalEntry): void {
    const { server, tool, outcome, durationMs = 0, protocol } = entry
    if (outcome !== undefined) {
      const { outcomes } = this.#byRevision.get(server)?.get(protocol) ?? this.#addRevision(server, protocol)
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
    }
    const counts = this.#counts.get(server)?.get(tool) ?? this.#add(server, tool)
    if (outcome !== undefined) counts.outcomes[outcome] = (counts.outcomes[outcome] ?? 0) + 1
    counts.totalMs += durationMs
    let bucket = 0
    while (durationMs > (DURATION_BOUNDS_MS[bucket] ?? Number.POSITIVE_INFINITY)) bucket++
    counts.durations[bucket] = (counts.durations[bucket] ?? 0) + 1
  }

  all(): Counts[] {
    return [...this.#counts.values()].flatMap(tools => [...tools.values()])
  }

  /** Returns the counts of each revision at each server. */
  revisions(): RevisionCounts[] {
    return [...this.#byRevision.values()].flatMap(revisions => [...revisions.values()])
  }

  #addRevision(server: string, named: string | null): RevisionCounts {
    const protocol = named === null || this.#revisions.includes(named) ? named : UNKNOWN
    const revisions = this.#byRevision.get(server) ?? new Map<string | null, RevisionCounts>()
    this.#byRevision.set(server, revisions)
    const counts = revisions.get(protocol) ?? { server, protocol, outcomes: {} }
    revisions.set(protocol, counts)
    return counts
  }

  #add(server: string, called: string | null): Counts {
    const tool = called === null || this.#known.has(server, called) ? called : UNKNOWN
    const tools = this.#counts.get(server) ?? new Map<string | null, Counts>()
    this.#counts.set(server, tools)
    const known = tools.get(tool)
    if (known !== undefined) return known
    const counts: Counts = {
      server,
      tool,
      outcomes: {},
      durations: DURATION_BOUNDS_MS.map(() => 0),
      totalMs: 0,
    }
    counts.durations.push(0)
    tools.set(tool, counts)
    return counts
  }
}
