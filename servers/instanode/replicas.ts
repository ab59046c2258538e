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
    readonly reaper: Pick<Reaper, 'watch' | 'resume'>
    readonly receivers: Pick<Receivers, 'heardOf'>
  }
  /** Follows the state that another replica has put in place. */
  state: { replaced(): Promise<void> }
}

/**
 * Keeps up with the other replicas: the reaper comes round for what they make, listeners hear of what their receivers
 * take, and a state that one of them puts in place is this one's as well.
 *
 * @returns what ends it
 */
export function followReplicas({ records, log, local, state }: ReplicasOptions): () => void {
  const { store, reaper, receivers } = local
  let closed = false
  const tried = async (work: () => Promise<void>) => {
    try {
      if (!closed) await work()
    } catch (error) {
      // While the store is away it is done with the next news, or when the store is back.
      if (!closed && !isUnavailable(error)) log.error('another replica could not be followed', error)
    }
  }
  const leave = [
    store.watch(({ own, detail }) => {
      const due = dueIn(detail)
      if (!own && due !== undefined) reaper.watch(due)
      else if (!own) void tried(() => reaper.resume())
    }),
    store.watchDeliveries((token, id) => void tried(() => receivers.heardOf(token, id))),
  ]
  records.onReplaced(() => void tried(() => state.replaced()))
  records.onGap(() => void tried(() => reaper.resume()))
  return () => {
    closed = true
    for (const each of leave) each()
  }
}
