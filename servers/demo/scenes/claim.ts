import { z } from 'zod'
import { sessionsAtOnce } from '../cast/database.js'
import { type Database, type Receiver, resource } from '../resources.js'
import { same } from '../show/as-narrated.js'
import type { Narrator } from '../show/narrator.js'
import type { Stage } from '../stage.js'

const claimedFor = z.object({ name: z.string(), tier: z.string() })

/** What nobody owned comes to belong to a paid account, and rises with it. */
export async function claim(
  stage: Stage,
  tell: Narrator,
  { orders, inbox }: { orders: Database; inbox: Receiver },
): Promise<void> {
  const { ben } = stage.agents
  tell.about(
    "Ben works for a paid account, whose credential his gateway adds: he never holds it. Whoever has a resource's",
    'token can claim it.',
  )
  await holds({ storageMb: 10, connections: 2 })
  for (const [name, { token }] of Object.entries({ orders, inbox })) {
    const call = await ben.instanode.call('claim_token', { token })
    same('what was claimed', call.returned(claimedFor), { name, tier: 'paid' })
    await tell.step({
      who: 'ben',
      does: `calls claim_token with the token of "${name}"`,
      saw: 'claimed: paid tier',
      upstream: call.upstream,
    })
  }
  await holds({ storageMb: 500, connections: 5 })

  /** By its own account, and by what it really takes. */
  async function holds(limits: { storageMb: number; connections: number }): Promise<void> {
    const { limits: shown, expiresAt } = await resource(stage, 'orders')
    same('the limits of "orders"', shown, limits)
    const taken = await sessionsAtOnce(orders.connection_url, limits.connections + 1)
    same('how many connections "orders" takes', taken, limits.connections)
    const until = expiresAt === null ? 'for good' : `until ${expiresAt.slice(0, 16).replace('T', ' ')}`
    await tell.step({
      who: 'anyone',
      does: `opens connection after connection to "orders"`,
      saw: `${taken} are taken, one more is refused. It may grow to ${limits.storageMb} MB, and stays ${until}`,
    })
  }
}
