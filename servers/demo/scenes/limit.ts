import { z } from 'zod'
import type { Database } from '../resources.js'
import { same } from '../show/as-narrated.js'
import type { Narrator } from '../show/narrator.js'
import type { Stage } from '../stage.js'

/** As the published policy has it, a minute. */
const LIMIT = 30

/** A limit is reached, and passed, and is over. */
export async function limit(
  { agents: { ben }, understudy: { journal, clock } }: Stage,
  tell: Narrator,
  { orders }: { orders: Database },
): Promise<void> {
  tell.about(
    `The policy lets ${LIMIT} calls of claim_token a minute through. Claiming again is harmless, and counts.`,
  )
  const args = { token: orders.token }
  const claimAgain = () => ben.instanode.call('claim_token', args)
  const arrived = () => journal.entries({ tool: 'claim_token' }).length
  const rest = LIMIT - arrived()
  for (let calls = 0; calls < rest; calls++) (await claimAgain()).returned(z.object({}))
  same('how many calls reached Instanode', arrived(), LIMIT)
  await tell.step({
    who: 'ben',
    does: `calls claim_token ${rest} times more`,
    saw: `${rest} results`,
    upstream: `reached: ${arrived()} calls of claim_token in the journal`,
  })

  const denied = await claimAgain()
  const rule = denied.denied()
  same('how many calls reached Instanode', arrived(), LIMIT)
  await tell.step({
    who: 'ben',
    does: `calls it once more: the ${LIMIT + 1}st`,
    saw: `denied by the rule ${rule}`,
    refused: true,
    upstream: `not reached: the journal has ${arrived()} still`,
  })

  await clock.advance(60_000)
  await tell.step({ who: 'clock', does: '+60 s: the next minute begins' })
  const passed = await claimAgain()
  passed.returned(z.object({}))
  await tell.step({ who: 'ben', does: 'calls it again', saw: 'a result', upstream: passed.upstream })
}
