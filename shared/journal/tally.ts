import type { KnownTools } from '../util/known-tools.js'
import type { JournalEntry, Outcome } from './entry.js'

/** Upper bounds of the durations that are told apart, in milliseconds; the last is without one. */
export const DURATION_BOUNDS_MS = [0.25, 1, 2.5, 10, 50, 250, 1000, 10_000, 60_000] as const

/** Stands for every tool and every revision that a caller made up. Their names must not fill the memory. */
const MADE_UP = 'other'

/** The requests of one revision to one server, by their outcome. */
export interface RevisionCounts {
  readonly server: string
  /** Null for requests that name no revision, also of an HTTP API. */
  readonly protocol: string | null
  readonly outcomes: Partial<Record<Outcome, number>>
}

/** The requests that call one tool of one server. The tool is null for requests that call none. */
export interface Counts {
  readonly server: string
  readonly tool: string | null
  readonly outcomes: Partial<Record<Outcome, number>>
  /** Number of calls up to each bound and above the one before. The last is for those above all bounds. */
  readonly durations: number[]
  totalMs: number
}

/** Counts the requests that have ended since the start, whatever is cleared. An entry costs four look-ups and four additions. */
export class Tally {
  readonly #known: KnownTools
  readonly #revisions: readonly string[]
  readonly #counts = new Map<string, Map<string | null, Counts>>()
  readonly #byRevision = new Map<string, Map<string | null, RevisionCounts>>()

  /** @param revisions the protocol revisions that are counted apart */
  constructor(known: KnownTools, revisions: readonly string[]) {
    this.#known = known
    this.#revisions = revisions
  }

  /** Counts an entry that has ended. */
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

  /** The requests of each revision to each server. */
  revisions(): RevisionCounts[] {
    return [...this.#byRevision.values()].flatMap(revisions => [...revisions.values()])
  }

  #addRevision(server: string, named: string | null): RevisionCounts {
    const protocol = named === null || this.#revisions.includes(named) ? named : MADE_UP
    const revisions = this.#byRevision.get(server) ?? new Map<string | null, RevisionCounts>()
    this.#byRevision.set(server, revisions)
    const counts = revisions.get(protocol) ?? { server, protocol, outcomes: {} }
    revisions.set(protocol, counts)
    return counts
  }

  #add(server: string, called: string | null): Counts {
    const tool = called === null || this.#known.has(server, called) ? called : MADE_UP
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
