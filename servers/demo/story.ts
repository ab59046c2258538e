import { approve } from './scenes/approve.js'
import { claim } from './scenes/claim.js'
import { crash } from './scenes/crash.js'
import { deliver } from './scenes/deliver.js'
import { expire } from './scenes/expire.js'
import { limit } from './scenes/limit.js'
import { provision } from './scenes/provision.js'
import type { Narrator } from './show/narrator.js'
import type { Pace } from './show/pace.js'
import { Play } from './show/play.js'
import type { Stage } from './stage.js'

const TITLES = {
  provision: 'An agent without an account gets databases',
  deliver: 'Something is delivered',
  claim: 'A paid account claims it',
  limit: 'The thirty-first call of a minute',
  approve: 'A deletion waits for a person',
  crash: 'A worker dies over its task',
  expire: 'A day later',
} as const

/** The demo, from its first scene to its last. @throws NotAsNarrated naming the scene that went otherwise */
export async function story(stage: Stage, tell: Narrator, pace: Pace): Promise<void> {
  const play = new Play({ titles: Object.values(TITLES), tell, pace })
  await pace.lead()
  const { orders, scratch } = await play.scene(TITLES.provision, () => provision(stage, tell))
  const inbox = await play.scene(TITLES.deliver, () => deliver(stage, tell))
  await play.scene(TITLES.claim, () => claim(stage, tell, { orders, inbox }))
  await play.scene(TITLES.limit, () => limit(stage, tell, { orders }))
  await play.scene(TITLES.approve, () => approve(stage, tell, { inbox }))
  await play.scene(TITLES.crash, () => crash(stage, tell))
  await play.scene(TITLES.expire, () => expire(stage, tell, { orders, scratch }))
}
