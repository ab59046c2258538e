import { z } from 'zod'
import { wholeNumber, yesOrNo } from '../../../shared/schemas/query.js'
import { strict } from '../../../shared/util/check.js'
import { shown } from '../../../shared/util/shown.js'
import { clockState } from './clock.js'

export const resetRequest = strict({
  world: z
    .union([z.string(), z.record(z.string(), z.unknown())], {
      error: ({ input }) =>
        `is ${shown(input)}: expected the name of a world, or the world itself as an object`,
    })
    .exactOptional()
    .describe(
      'the starting state: a name of fixtures/worlds or the world itself, never a path; the one it began with if not given',
    ),
}).meta({ id: 'ResetRequest' })

export const resetAnswer = z.strictObject({ clock: clockState }).meta({ id: 'Begun' })

export const snapshotAnswer = z
  .strictObject({
    id: z.string(),
    at: z.string().describe('the instance’s clock when it was taken, ISO 8601'),
    wall: z.string().describe('the machine’s time then'),
  })
  .meta({ id: 'Snapshot' })

export const snapshotsAnswer = z
  .strictObject({ snapshots: z.array(snapshotAnswer) })
  .meta({ id: 'Snapshots' })

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
    store: z
      .string()
      .nullable()
      .describe('URL of the store. null: the state is in the memory of this process'),
    replicas: z.array(replica).describe('the running replicas, the oldest first'),
  })
  .meta({ id: 'Replicas' })

export type Replicas = z.infer<typeof replicasAnswer>

/** Default number of messages for each room, and of deliveries for each receiver. */
export const LATEST = 20

export const stateQuery = strict({
  secrets: yesOrNo.exactOptional().describe('1: passwords and tokens as they are'),
  latest: wholeNumber(0, 2000)
    .exactOptional()
    .describe(`how many messages of a room and deliveries of a receiver; ${LATEST} if not given`),
})

/** The schema of each server's view. */
export interface ViewSchemas<Instanode extends z.ZodType = z.ZodType, Safebot extends z.ZodType = z.ZodType> {
  instanode: Instanode
  safebot: Safebot
}

/** The schema of `GET /state`: the view of each server that the instance has. */
export function stateAnswer<Instanode extends z.ZodType, Safebot extends z.ZodType>(
  views: ViewSchemas<Instanode, Safebot>,
) {
  return z
    .strictObject({
      instance: z.string(),
      clock: clockState,
      instanode: z.exactOptional(views.instanode),
      safebot: z.exactOptional(views.safebot),
    })
    .meta({ id: 'State' })
}

/** The result of {@link stateAnswer}. */
export type StateAnswer<InstanodeView, SafebotView> = z.output<
  ReturnType<typeof stateAnswer<z.ZodType<InstanodeView>, z.ZodType<SafebotView>>>
>
