import { setTimeout as sleep } from 'node:timers/promises'
import { EmbeddedDatabases } from '#built/servers/instanode/databases/embedded/embedded-databases.js'
import { Clock } from '#built/shared/clock/clock.js'
import { IdSource } from '#built/shared/ids.js'
import { freshSpec } from '../../support/databases/databases.js'
import { firstAnswer } from '../first-answer.js'
import { residentMb } from '../resident.js'
import { median } from '../statistics.js'
import { FEW, MANY, type Slept } from './slept.js'

/** Far less than a user waits, so that each database is asleep before the next is made. */
const HIBERNATE_MS = 50
/** A thread that has ended gives its memory back a moment later. */
const SETTLE_MS = 1500

/** A program: makes databases that go to sleep at once, and prints what it then holds, as JSON. */
const machine = new Clock()
const databases = await EmbeddedDatabases.start({
  machine,
  ids: new IdSource(),
  times: { hibernateAfterMs: HIBERNATE_MS },
})
const urls: string[] = []
const slept: Slept = { fewMb: await asleep(FEW), manyMb: await asleep(MANY), wakeMs: await wake() }
await databases.close()
machine.close()
process.stdout.write(`${JSON.stringify(slept)}\n`)

/** Makes databases until there are that many, and all asleep; returns what is resident. */
async function asleep(count: number): Promise<number> {
  while (urls.length < count) {
    const spec = freshSpec()
    const { client } = await firstAnswer(async () => {
      const made = await databases.provision(spec)
      urls.push(made.url)
      return made
    })
    await client.end()
    while ((await databases.stats(spec.name)).state === 'awake') await sleep(HIBERNATE_MS)
  }
  await databases.spareReady()
  await sleep(SETTLE_MS)
  globalThis.gc?.()
  return residentMb(process.pid)
}

/** Milliseconds from connecting to a sleeping database to its first answer. */
async function wake(): Promise<number> {
  const times: number[] = []
  for (const url of urls) {
    const { taken, client } = await firstAnswer(async () => ({ url }))
    times.push(taken)
    await client.end()
  }
  return median(times)
}
