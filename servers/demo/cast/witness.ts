import type { Journal, JournalEntry } from '../../index.js'

/** Runs work, and tells which calls of tools have reached the servers meanwhile. */
export async function witnessed<T>(
  journal: Journal,
  work: () => Promise<T>,
): Promise<{ result: T; entries: JournalEntry[] }> {
  const { next } = journal.page({ limit: 10_000 })
  const result = await work()
  const { entries } = journal.page({ after: next, method: 'tools/call' })
  return { result, entries }
}
