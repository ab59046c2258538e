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
  /** Takes over the state that another replica has loaded. */
  state: { replaced(): Promise<void> }
}

/**
 * Follows the other replicas on the store. The reaper visits their resources, listeners receive their
 * deliveries, and a state that one of them loads is loaded here too.
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
      // The next notification, or the return of the store, tries again.
      if (!closed && !isUnavailable(error)) log.error('another replica could not be followed', error)
    }
  }
  const leave = [
    store.watch(({ own, detail }) => {
      const due = dueIn(detail)
      if (!own && due !== undefined) reaper.planRound(due)
      else if (!own) void attempt(() => reaper.planNextRound())
    }),
    store.watchDeliveries((token, id) => void attempt(() => receivers.deliveredElsewhere(token, id))),
  ]
  records.onReplaced(() => void attempt(() => state.replaced()))
  records.onGap(() => void attempt(() => reaper.planNextRound()))
  return () => {
    closed = true
    for (const each of leave) each()
  }
}
