import type { KnownTools } from '../util/known-tools.js'
import type { JournalEntry, Outcome } from './entry.js'

/** Upper bounds of the durations that are told apart, in milliseconds; the last is without one. */
export const DURATION_BOUNDS_MS = [0.25, 1, 2.5, 10, 50, 250, 1000, 10_000, 60_000] as const

/** Name of all unknown tools together, so that invented names cannot fill the memory. */
const MADE_UP = 'other'

/** The counts of one tool of one server. The tool is null for requests without a tool. */
export interface Counts {
  readonly server: string
  readonly tool: string | null
  readonly outcomes: Partial<Record<Outcome, number>>
  /** Number of calls up to each bound and above the one before. The last is for those above all bounds. */
  readonly durations: number[]
  totalMs: number
}

/** Counts what has ended, from the beginning on, whatever is cleared. An entry costs two look-ups and three additions. */
export class Tally {
  readonly #known: KnownTools
  readonly #counts = new Map<string, Map<string | null, Counts>>()

  constructor(known: KnownTools) {
    this.#known = known
  }

  /** Counts an entry that has ended. */
  count({ server, tool, outcome, durationMs = 0 }: JournalEntry): void {
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
