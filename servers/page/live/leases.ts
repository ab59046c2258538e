import { computed, signal } from '@preact/signals'
import type { SafebotView } from '../../safebot/view.js'
import { type KnownLeases, type LeaseEvent, leaseEventsOf, mayClaim, withLeases } from '../model/leases.js'
import { calls } from './calls.js'
import { ask } from './request.js'

/** Number of the latest claims whose answers are loaded. */
const MAX_CLAIMS = 100

/** The answers to claims, by the `seq` of the claim. Null if the journal did not keep the answer. */
const answers = signal<ReadonlyMap<number, string | null>>(new Map())

/** All leases that the state has shown until now, by claim id. */
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

export function addKnownLeases({ safebot }: { safebot?: SafebotView }): void {
  const leases = (safebot?.rooms ?? []).flatMap(({ consumers }) =>
    consumers.flatMap(({ lease }) => lease ?? []),
  )
  knownLeases.value = withLeases(knownLeases.value, leases)
}

let loading = false

/** Loads the answers to the latest claims, because the journal's stream does not contain answers. */
export async function loadClaimAnswers(): Promise<void> {
  if (loading) return
  loading = true
  try {
    // Further claims can arrive while an answer is loaded.
    for (let next = claimToLoad(); next !== undefined; next = claimToLoad()) {
      const { answer } = await ask<{ answer: string | null }>('GET', `/journal/entries/${next}`)
      answers.value = new Map(answers.value).set(next, answer)
    }
  } catch {
    // The journal was cleared, or the process has ended. The stream reports both.
  } finally {
    loading = false
  }
}

/** Returns the seq of a recent claim whose answer is not loaded. Undefined if all answers are loaded. */
function claimToLoad(): number | undefined {
  const claims = calls.value.filter(({ entry }) => mayClaim(entry)).slice(-MAX_CLAIMS)
  return claims.find(({ entry }) => !answers.value.has(entry.seq))?.entry.seq
}

export function forgetLeases(): void {
  answers.value = new Map()
  knownLeases.value = new Map()
}
