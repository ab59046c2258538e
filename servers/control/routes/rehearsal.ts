import { z } from 'zod'
import { Refusal } from '../../../shared/errors.js'
import { checkedOperation } from '../../../shared/http/checked-operation.js'
import type { Operation } from '../../../shared/http/operation.js'
import type { Controlled } from '../controlled.js'

const startedAnswer = z.strictObject({ started: z.literal(true) }).meta({ id: 'RehearsalStarted' })

/** Returns the route that starts a waiting rehearsal. */
export function rehearsalRoute({ startRehearsal }: Pick<Controlled<unknown>, 'startRehearsal'>): Operation {
  return checkedOperation({
    method: 'POST',
    path: '/rehearsal/start',
    summary: 'Start the rehearsal of understudy rehearse --attach',
    answer: startedAnswer,
    refusals: [409],
    run() {
      if (startRehearsal?.() === true) return { started: true as const }
      throw new Refusal(
        'no_rehearsal',
        'no rehearsal waits for its start',
        'understudy rehearse --attach waits for it, once',
      )
    },
  })
}
