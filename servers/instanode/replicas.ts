import { isUnavailable } from '../../shared/errors.js'
import type { Records } from '../../shared/records/records.js'
import type { Log } from '../../shared/util/log.js'
import type { Reaper } from './domain/reaper.js'
import type { Receivers } from './domain/receivers.js'
import { dueIn, type InstanodeStore } from './domain/store.js'

export interface ReplicasOptions {
  records: Pick<Records, 'onReplaced' | 'onGap'>
  log: Log
  local: {
    readonly store: Pick<InstanodeStore, 'watch' | 'watchDeliveries'>
    readonly reaper: Pick<Reaper, 'planRound' | 'planNextRound'>
    readonly receivers: Pick<Receivers, 'deliveredElsewhere'>
  }
  /** Follows a replacement of the state in the store by another replica. */
  state: { onReplaced(): Promise<void> }
}

/**
 * Follows the changes that other replicas make in the store. The reaper plans a visit to their resources,
 * listeners receive their deliveries, and this replica follows when one of them replaces the state.
 *
 * @returns a function that stops following
 */
export function followReplicas({ records, log, local, state }: ReplicasOptions): () => void {
  const { store, reaper, receivers } = local
  let closed = false
  const attempt = async (work: () => Promise<void>) => {
    try {
      if (!closed) await work()
    } catch (error) {
      // The next notification repeats this work. So does the return of the store after a failure.
      if (!closed && !isUnavailable(error))
        log.error(
          'a change by another replica could not be read from the store; the next notification tries again',
          error,
        )
    }
  }
  const unsubscribes = [
    store.watch(({ own, detail }) => {
      const due = dueIn(detail)
      if (!own && due !== undefined) reaper.planRound(due)
      else if (!own) void attempt(() => reaper.planNextRound())
    }),
    store.watchDeliveries((token, id) => void attempt(() => receivers.deliveredElsewhere(token, id))),
  ]
  records.onReplaced(() => void attempt(() => state.onReplaced()))
  records.onGap(() => void attempt(() => reaper.planNextRound()))
  return () => {
    closed = true
    for (const unsubscribe of unsubscribes) unsubscribe()
  }
}
