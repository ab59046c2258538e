import { z } from 'zod'
import { faultSchema } from '../../../shared/faults/fault.js'
import { overlaySchema } from '../../../shared/overlays/overlay.js'
import { strict } from '../../../shared/util/check.js'

const counted = z.int().min(0).exactOptional()

/** A fault as it is set; what was read may be given as it was, and is counted anew. */
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

/** An overlay as it is set; likewise. */
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
