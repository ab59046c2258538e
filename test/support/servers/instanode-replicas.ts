import type { InstanodeOptions } from '../../../servers/instanode/index.js'
import type { InstanceOptions } from '../../../servers/understudy/instance.js'
import { RecordingDatabases } from '../databases/recording-databases.js'
import { type RunningInstanode, startInstanode } from './instanode.js'

/** Two Instanodes on one store and one source of databases. */
export interface Replicas {
  readonly a: RunningInstanode
  readonly b: RunningInstanode
  readonly databases: RecordingDatabases
}

/** One more on a store. */
export async function startReplica(
  url: string,
  options: InstanodeOptions & Omit<InstanceOptions, 'store'> = {},
): Promise<RunningInstanode> {
  return startInstanode({ ...options, store: url })
}

export async function startReplicas(
  url: string,
  options: InstanodeOptions & Omit<InstanceOptions, 'store'> = {},
): Promise<Replicas> {
  const databases = new RecordingDatabases()
  const a = await startReplica(url, { databases, ...options })
  const b = await startReplica(url, { databases, ...options })
  return { a, b, databases }
}
