import { changeSchema } from '../../../shared/clock/change.js'
import type { Clock } from '../../../shared/clock/clock.js'
import { type Operation, operation } from '../../../shared/http/operation.js'
import { advanceRequest, clockState, clockStateOf } from '../schemas/clock.js'

/** What time it is, and how it passes. */
export function clockRoutes(clock: Clock): Operation[] {
  return [
    operation({
      method: 'GET',
      path: '/clock',
      summary: 'What time it is',
      answer: clockState,
      run: () => clockStateOf(clock),
    }),
    operation({
      method: 'PUT',
      path: '/clock',
      summary: 'Set the mode, the time, or both; answers when all that fell due has run',
      body: changeSchema,
      bodyCode: 'bad_clock',
      answer: clockState,
      refusals: [409, 503],
      async run({ body }) {
        await clock.set(body)
        return clockStateOf(clock)
      },
    }),
    operation({
      method: 'POST',
      path: '/clock/advance',
      summary: 'Move time forward; answers when all that fell due has run',
      body: advanceRequest,
      bodyCode: 'bad_advance',
      answer: clockState,
      refusals: [503],
      async run({ body }) {
        await clock.advance(body.ms)
        return clockStateOf(clock)
      },
    }),
  ]
}
