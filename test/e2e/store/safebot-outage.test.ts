import { describe, expect, it, onTestFinished } from 'vitest'
import { ack, claim, claimNow, createRoom, say, transcript } from '../../support/clients/room.js'
import { useStores } from '../../support/databases/store.js'
import { startSafebot } from '../../support/servers/safebot.js'
import { call, refused, textOf } from '../../support/servers/understudy.js'
import { until } from '../../support/until.js'

const stores = useStores()

async function workplace(store = stores.freshUrl()) {
  const running = await startSafebot({ store })
  const boss = await running.safebot.connect({ handle: 'boss' })
  const worker = await running.safebot.connect({ handle: 'worker' })
  return { ...running, store, boss, worker, url: await createRoom(boss) }
}

describe('a store whose connections are cut', () => {
  it('answers new calls, and parked calls continue to wait for later messages', async () => {
    const { instance, store, boss, worker, url } = await workplace()
    await say(boss, url, 'first')
    await ack(worker, url, await claimNow(worker, url))
    const claiming = claim(worker, url)
    await instance.clock.whenPending(1)
    expect(await stores.cut(store)).toBeGreaterThan(0)
    await say(boss, url, 'second')
    expect((await claiming)?.text).toBe('second')
    expect(await transcript(boss, url)).toEqual(['first', 'second'])
  })
})

describe('a store that refuses connections', () => {
  it('is reported by every tool and route as temporary, ends parked calls, and is used again when it is back', async () => {
    const { instance, safebot, store, boss, worker, url, agent } = await workplace(await storeWithDoors())
    await say(boss, url, 'first')
    const task = await claimNow(worker, url)
    await ack(worker, url, task)
    const alice = await agent('alice')
    const parked = call(worker, 'claim_task', { url })
    await instance.clock.whenPending(1)
    const open = await closeDoors(store)

    const ended = await parked
    expect(ended.isError).toBe(true)
    expect(textOf(ended)).toMatch(/claim_task failed: the store at .* cannot be reached just now.*call again/)
    expect(await refused(boss, 'send_message', { url, text: 'lost' })).toContain('call again in a moment')
    expect(await refused(worker, 'claim_task', { url })).toContain('call again in a moment')
    const answer = await alice.claim('room-1')
    expect([answer.status, answer.headers['retry-after']]).toEqual([503, '1'])
    expect((await safebot.controlled().checks()).store).toContain('cannot be reached')

    await open()
    await until(async () => (await safebot.controlled().checks()).store === 'ok')
    await say(boss, url, 'second')
    expect((await claimNow(worker, url)).text).toBe('second')
    expect(await transcript(boss, url)).toEqual(['first', 'second'])
    // Signed for anew: what was refused may or may not be spent.
    expect((await alice.claim('room-1')).status).toBe(200)
  })
})

/** The URL of a store that is used under a role of its own. */
async function storeWithDoors(): Promise<string> {
  const url = new URL(stores.freshUrl())
  const role = stores.schemaOf(url.href)
  await stores.run(`CREATE ROLE ${role} LOGIN PASSWORD 'doors'`)
  await stores.run(`GRANT CREATE ON DATABASE ${url.pathname.slice(1)} TO ${role}`)
  onTestFinished(async () => {
    await stores.run(`DROP OWNED BY ${role} CASCADE`)
    await stores.run(`DROP ROLE ${role}`)
  })
  url.username = role
  url.password = 'doors'
  return url.href
}

/** Cuts every connection to such a store, and has it refuse others until the returned function is called. */
async function closeDoors(store: string): Promise<() => Promise<void>> {
  const role = stores.schemaOf(store)
  await stores.run(`ALTER ROLE ${role} CONNECTION LIMIT 0`)
  await stores.cut(store)
  return async () => void (await stores.run(`ALTER ROLE ${role} CONNECTION LIMIT -1`))
}
