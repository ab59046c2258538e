import { z } from 'zod'
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
