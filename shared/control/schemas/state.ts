import { z } from 'zod'
import { strict } from '../../check.js'
import { wholeNumber, yesOrNo } from '../query.js'
import { clockState } from './clock.js'
import { instanodeView } from './instanode-view.js'
import { safebotView } from './safebot-view.js'

/** How many messages of a room, and deliveries of a receiver, if nobody says. */
export const LATEST = 20

export const stateQuery = strict({
  secrets: yesOrNo.exactOptional().describe('1: passwords and tokens as they are'),
  latest: wholeNumber(0, 2000)
    .exactOptional()
    .describe(`how many messages of a room and deliveries of a receiver; ${LATEST} if not given`),
})

/** What exists now, of the servers that this instance has. */
export const stateAnswer = z
  .strictObject({
    instance: z.string(),
    clock: clockState,
    instanode: instanodeView.exactOptional(),
    safebot: safebotView.exactOptional(),
  })
  .meta({ id: 'State' })
