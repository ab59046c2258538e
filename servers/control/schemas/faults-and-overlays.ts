import { z } from 'zod'
import { faultSchema } from '../../../shared/faults/fault.js'
import { overlaySchema } from '../../../shared/overlays/overlay.js'
import { strict } from '../../../shared/util/check.js'

const counted = z.int().min(0).exactOptional()

/**
 * The body of the request that sets faults. The answer of `GET /faults` is also a valid body. Its `hits` are
 * ignored.
 */
export const faultsRequest = strict({
  faults: z.array(strict({ ...faultSchema.shape, hits: counted.describe('ignored') })),
}).meta({ id: 'FaultsRequest' })

export const faultsAnswer = z
  .strictObject({
    faults: z.array(
      z.strictObject({
        ...faultSchema.shape,
        hits: z.int().describe('number of times that the fault was applied'),
      }),
    ),
  })
  .meta({ id: 'Faults' })

/**
 * The body of the request that sets overlays. The answer of `GET /catalogue` is also a valid body. Its
 * `lists` and `inEffect` are ignored.
 */
export const overlaysRequest = strict({
  overlays: z.array(
    strict({
      ...overlaySchema.shape,
      lists: counted.describe('ignored'),
      inEffect: z.boolean().exactOptional().describe('ignored'),
    }),
  ),
}).meta({ id: 'OverlaysRequest' })

export const overlaysAnswer = z
  .strictObject({
    overlays: z.array(
      z.strictObject({
        ...overlaySchema.shape,
        lists: z
          .int()
          .describe('number of lists of tools that were shown with this overlay since it was set'),
        inEffect: z.boolean(),
      }),
    ),
  })
  .meta({ id: 'Overlays' })
