import * as z from 'zod'
import type { Instance } from '../../../shared/instance.js'
import { type InstanodeHostility, tokenSecret } from '../hostile.js'
import { MemoryStore } from './memory.js'
import type { InstanodeStore } from './store.js'

/** What is kept, and what goes with it: all that replicas have to have alike. */
export interface OpenedStore {
  readonly store: InstanodeStore
  /** What account tokens are signed with. */
  readonly secret: Buffer
  /** See {@link ReaperOptions}. */
  readonly ticksFrom: number
}

/** A store of this process alone. */
export function openMemory(
  { clock, ids }: Pick<Instance, 'clock' | 'ids'>,
  hostility: InstanodeHostility = {},
): OpenedStore {
  return { store: new MemoryStore(), secret: tokenSecret({ ids }, hostility), ticksFrom: clock.now() }
}

/** The store of an instance: the one it shares, if it does. @throws StoreUnavailable */
export async function openStore(
  instance: Instance,
  hostility: InstanodeHostility = {},
): Promise<OpenedStore> {
  const own = openMemory(instance, hostility)
  const { store } = instance
  if (store === undefined) return own
  const { PostgresStore } = await import('./postgres/postgres-store.js')
  const ticksFrom = z.number().parse(await store.setting('instanode ticks', async () => own.ticksFrom))
  const secret =
    hostility.tokenIssuer === undefined
      ? await store.setting('instanode token secret', async () => own.secret.toString('base64'))
      : own.secret.toString('base64')
  return {
    store: new PostgresStore(store),
    secret: Buffer.from(z.string().parse(secret), 'base64'),
    ticksFrom,
  }
}
