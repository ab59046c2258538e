import { computed, signal } from '@preact/signals'
import type { SafebotView } from '../../safebot/view.js'
import { type KnownLeases, type LeaseEvent, leaseEventsOf, mayClaim, withLeases } from '../model/leases.js'
import { calls } from './calls.js'
import { ask } from './request.js'

/** Number of past claims whose answers are loaded. */
const MAX_CLAIMS = 100

/** The answers to claims by their seq. Null: the answer is not kept. */
const answers = signal<ReadonlyMap<number, string | null>>(new Map())

/** The leases that states have shown, by claim id. */
export const knownLeases = signal<KnownLeases>(new Map())

/** Claims and acknowledgements of each room, in the order of their requests. */
export const leaseEvents = computed(() => {
  const byRoom = new Map<string, LeaseEvent[]>()
  for (const { entry } of calls.value) {
    for (const event of leaseEventsOf(entry, answers.value.get(entry.seq) ?? null)) {
      const events = byRoom.get(event.room)
      if (events === undefined) byRoom.set(event.room, [event])
      else events.push(event)
    }
  }
  return byRoom
})

export function sawLeases({ safebot }: { safebot?: SafebotView }): void {
  const leases = (safebot?.rooms ?? []).flatMap(({ consumers }) =>
    consumers.flatMap(({ lease }) => lease ?? []),
  )
  knownLeases.value = withLeases(knownLeases.value, leases)
}

let learning = false

/** Asks what the latest claims were answered: the stream of the journal does not tell. */
export async function learnClaims(): Promise<void> {
  if (learning) return
  learning = true
  try {
    // More may come while one is asked about.
    for (let next = claimToLearn(); next !== undefined; next = claimToLearn()) {
      const { answer } = await ask<{ answer: string | null }>('GET', `/journal/entries/${next}`)
      answers.value = new Map(answers.value).set(next, answer)
    }
  } catch {
    // The journal was cleared meanwhile, or the process has gone: what comes next is told by the stream.
  } finally {
    learning = false
  }
}

/** The seq of one of the latest claims whose answer is not known. */
function claimToLearn(): number | undefined {
  const claims = calls.value.filter(({ entry }) => mayClaim(entry)).slice(-MAX_CLAIMS)
  return claims.find(({ entry }) => !answers.value.has(entry.seq))?.entry.seq
}

export function forgetLeases(): void {
  answers.value = new Map()
  knownLeases.value = new Map()
}
