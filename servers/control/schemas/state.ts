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
      'the name of a world in fixtures/worlds, or the world itself. Never a path. Default: the world with which the instance was started',
    ),
}).meta({ id: 'ResetRequest' })

export const resetAnswer = z.strictObject({ clock: clockState }).meta({ id: 'Begun' })

export const snapshotAnswer = z
  .strictObject({
    id: z.string(),
    at: z.string().describe('time of the instance’s clock when the snapshot was taken, ISO 8601'),
    wall: z.string().describe('machine time when the snapshot was taken, ISO 8601'),
  })
  .meta({ id: 'Snapshot' })

export const snapshotsAnswer = z
  .strictObject({ snapshots: z.array(snapshotAnswer) })
  .meta({ id: 'Snapshots' })

const replica = z
  .strictObject({
    number: z.int().describe('number of the replica. The first replica that used the store has the number 1'),
    instance: z
      .string()
      .nullable()
      .describe('name of the replica in journal entries. null: the replica is still starting'),
    startedAt: z.string().describe('time at which the replica started, by the clock of the store, ISO 8601'),
    self: z.boolean().describe('true for the replica that sends this answer'),
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

/** Default number of the latest messages of each room, and of the latest deliveries of each receiver. */
export const LATEST = 20

export const stateQuery = strict({
  secrets: yesOrNo.exactOptional().describe('1: show passwords and tokens unmasked'),
  latest: wholeNumber(0, 2000)
    .exactOptional()
    .describe(
      `number of the latest messages of each room and deliveries of each receiver. Default: ${LATEST}`,
    ),
})

/** The schemas for the states of the two servers. */
export interface ViewSchemas<Instanode extends z.ZodType = z.ZodType, Safebot extends z.ZodType = z.ZodType> {
  instanode: Instanode
  safebot: Safebot
}

/** Returns the schema for the answer of `GET /state`, which has the state of each server of the instance. */
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

/** The answer that `stateAnswer` describes. */
export type StateAnswer<InstanodeView, SafebotView> = z.output<
  ReturnType<typeof stateAnswer<z.ZodType<InstanodeView>, z.ZodType<SafebotView>>>
>
