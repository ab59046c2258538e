import { z } from 'zod'
import { wholeNumber, yesOrNo } from '../../../shared/http/query.js'
import { strict } from '../../../shared/util/check.js'
import { clockState } from './clock.js'

/** How many messages of a room, and deliveries of a receiver, if nobody says. */
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

/** What {@link stateAnswer} reads. */
export type StateAnswer<InstanodeView, SafebotView> = z.output<
  ReturnType<typeof stateAnswer<z.ZodType<InstanodeView>, z.ZodType<SafebotView>>>
>
