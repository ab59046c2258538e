import { type Operation, operation } from '../../../shared/http/operation.js'
import type { Instance } from '../../../shared/instance.js'
import { replicasAnswer } from '../schemas/replicas.js'

/** Who else stands for the same. */
export function replicasRoute({ store }: Pick<Instance, 'store'>): Operation {
  return operation({
    method: 'GET',
    path: '/replicas',
    summary: 'The instances that share a store with this one, itself among them',
    answer: replicasAnswer,
    refusals: [503],
    async run() {
      if (store === undefined) return { store: null, replicas: [] }
      const live = await store.replicas()
      const replicas = live.map(({ number, instance, startedAt }) => ({
        ...{ number, instance, startedAt: startedAt.toISOString() },
        self: number === store.replica,
      }))
      return { store: store.shown, replicas }
    },
  })
}
