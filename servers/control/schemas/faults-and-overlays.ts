import { z } from 'zod'
import { faultSchema } from '../../../shared/faults/fault.js'
import { overlaySchema } from '../../../shared/overlays/overlay.js'
import { strict } from '../../../shared/util/check.js'

const counted = z.int().min(0).exactOptional()

/**
 * The request that sets faults. It accepts the answer of `GET /faults`, and ignores the `hits` in that
 * answer.
 */
export const faultsRequest = strict({
  faults: z.array(strict({ ...faultSchema.shape, hits: counted.describe('passed over') })),
}).meta({ id: 'FaultsRequest' })

export const faultsAnswer = z
  .strictObject({
    faults: z.array(
      z.strictObject({ ...faultSchema.shape, hits: z.int().describe('how often it has been carried out') }),
    ),
  })
  .meta({ id: 'Faults' })

/**
 * The request that sets overlays. It accepts the answer of `GET /catalogue`, and ignores `lists` and
 * `inEffect` in it.
 */
export const overlaysRequest = strict({
  overlays: z.array(
    strict({
      ...overlaySchema.shape,
      lists: counted.describe('passed over'),
      inEffect: z.boolean().exactOptional().describe('passed over'),
    }),
  ),
}).meta({ id: 'OverlaysRequest' })

export const overlaysAnswer = z
  .strictObject({
    overlays: z.array(
      z.strictObject({
        ...overlaySchema.shape,
        lists: z.int().describe('how many lists those it concerns have been shown since it was set'),
        inEffect: z.boolean(),
      }),
    ),
  })
  .meta({ id: 'Overlays' })
