import { ApiCaller } from '../client/api-caller.js'
import { closedLoop } from '../client/closed-loop.js'
import { startSafebot, withProgram } from '../programs.js'
import type { Row } from '../row.js'

const IN_FLIGHT = 32
const TARGET = 5000

/** How many messages a second are posted over the service's own HTTP API. */
export const postedMessages: Row = {
  name: 'posted-messages',
  measure: () =>
    withProgram(startSafebot, async ({ url }) => {
      const api = new URL(url).origin
      const posters = await Promise.all(
        Array.from({ length: IN_FLIGHT }, (_, at) => ApiCaller.as(api, `poster-${at}`)),
      )
      const { perSecond } = await closedLoop(posters.map((poster, at) => () => poster.say(`room-${at % 8}`)))
      for (const poster of posters) poster.close()
      return [
        {
          what: `messages posted over the HTTP API, ${IN_FLIGHT} in flight, 8 rooms`,
          unit: 'calls/s',
          ours: perSecond,
          target: `at least ${TARGET.toLocaleString('en')}`,
          met: perSecond >= TARGET,
        },
      ]
    }),
}
