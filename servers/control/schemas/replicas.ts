import { z } from 'zod'

const replica = z
  .strictObject({
    number: z.int().describe('1 for the first that ever used the store'),
    instance: z.string().nullable().describe('as its journal entries name it; null: it is just starting'),
    startedAt: z.string().describe('by the time of the store, ISO 8601'),
    self: z.boolean().describe('whether it is the one that answers'),
  })
  .meta({ id: 'Replica' })

export const replicasAnswer = z
  .strictObject({
    store: z.string().nullable().describe('where it is; null: all is in the memory of this process'),
    replicas: z.array(replica).describe('those that live now, the first started first'),
  })
  .meta({ id: 'Replicas' })

export type Replicas = z.infer<typeof replicasAnswer>
