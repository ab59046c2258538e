import { describe, expect, it, vi } from 'vitest'
import { Notices } from '../../../shared/records/notices.js'
import { Watches } from '../../../shared/records/watches.js'
import { ack, claim, claimNow, createRoom, say, transcript } from '../../support/clients/room.js'
import { useStores } from '../../support/databases/store.js'
import { startSafebot } from '../../support/servers/safebot.js'
import { startReplicas } from '../../support/servers/safebot-replicas.js'
import { refused } from '../../support/servers/understudy.js'
import { until } from '../../support/until.js'

const stores = useStores()

/** A room of one replica, in which `boss` posts there and `worker` works at the other. */
async function workplaces() {
  const replicas = await startReplicas(stores.freshUrl())
  const { one, two } = replicas
  const boss = await one.safebot.connect({ handle: 'boss' })
  const worker = await two.safebot.connect({ handle: 'worker' })
  return { ...replicas, boss, worker, url: await createRoom(boss) }
}

describe('a task, on two replicas', () => {
  it('is leased once to a handle, at either of them', async () => {
    const { one, boss, worker, url } = await workplaces()
    await say(boss, url, 'work')
    await say(boss, url, 'more work')
    const twin = await one.safebot.connect({ handle: 'worker' })
    const claims = await Promise.all(
      Array.from({ length: 8 }, (_, nth) => claimNow(nth % 2 === 0 ? worker : twin, url)),
    )
    expect(new Set(claims.map(({ claimId }) => claimId)).size).toBe(1)
    expect(new Set(claims.map(({ seq }) => seq)).size).toBe(1)
  })

  it('is delivered to each handle', async () => {
    const { one, boss, worker, url } = await workplaces()
    await say(boss, url, 'work')
    const other = await one.safebot.connect({ handle: 'other' })
    const [task, same] = [await claimNow(worker, url), await claimNow(other, url)]
    expect(same.seq).toBe(task.seq)
    expect(same.claimId).not.toBe(task.claimId)
  })

  it('that was claimed at one can be acknowledged at the other, and the next one follows', async () => {
    const { one, boss, worker, url } = await workplaces()
    for (const text of ['first', 'second']) await say(boss, url, text)
    const twin = await one.safebot.connect({ handle: 'worker' })
    const task = await claimNow(worker, url)
    expect(await ack(twin, url, task)).toBe(true)
    expect(await ack(worker, url, task)).toBe(false)
    expect((await claimNow(worker, url)).text).toBe('second')
  })

  it('is delivered again at the other after 60 s, and both refuse the stale claim', async () => {
    const { one, advance, boss, worker, url } = await workplaces()
    await say(boss, url, 'work')
    const twin = await one.safebot.connect({ handle: 'worker' })
    const stale = await claimNow(worker, url)
    await advance(60_001)
    const task = await claimNow(twin, url)
    expect(task).toMatchObject({ seq: stale.seq, text: 'work' })
    expect(task.claimId).not.toBe(stale.claimId)
    for (const agent of [worker, twin]) {
      const late = { url, claim_id: stale.claimId, seq: stale.seq }
      expect(await refused(agent, 'ack_task', late)).toContain('409')
    }
    expect(await ack(worker, url, task)).toBe(true)
  })

  it('wakes a claim that is parked at the other by a notice, before any poll', async () => {
    const { two, boss, worker, url } = await workplaces()
    await say(boss, url, 'to open it')
    await ack(worker, url, await claimNow(worker, url))
    const polled = vi.spyOn(Watches.prototype, 'poll').mockResolvedValue(undefined)
    for (let nth = 0; nth < 20; nth++) {
      const claiming = claim(worker, url)
      await two.instance.clock.whenPending(1)
      await say(boss, url, `work ${nth}`)
      const task = await claiming
      expect(task?.text).toBe(`work ${nth}`)
      if (task !== undefined) await ack(worker, url, task)
    }
    polled.mockRestore()
  })

  it('wakes a claim in a room that no agent had opened', async () => {
    const { two, boss, worker, url } = await workplaces()
    const claiming = claim(worker, url)
    await two.instance.clock.whenPending(1)
    await say(boss, url, 'work')
    expect((await claiming)?.text).toBe('work')
  })

  it('is found by a parked claim that missed the notice', async () => {
    const { two, boss, worker, url } = await workplaces()
    await say(boss, url, 'to open it')
    await ack(worker, url, await claimNow(worker, url))
    const claiming = claim(worker, url)
    await two.instance.clock.whenPending(1)
    const told = vi.spyOn(Notices.prototype, 'noticeOf').mockReturnValue('0 nothing ')
    await say(boss, url, 'work')
    expect(told).toHaveBeenCalled()
    told.mockRestore()
    expect((await claiming)?.text).toBe('work')
  })

  it('ends an observed wait early if it is the agent’s own, as on one replica', async () => {
    const { one, two } = await startReplicas(stores.freshUrl(), { contract: 'observed' })
    const boss = await one.safebot.connect({ handle: 'boss' })
    const worker = await two.safebot.connect({ handle: 'worker' })
    const twin = await one.safebot.connect({ handle: 'worker' })
    const url = await createRoom(boss)
    await say(boss, url, 'first')
    await ack(worker, url, await claimNow(worker, url))
    const claiming = claim(worker, url)
    await two.instance.clock.whenPending(1)
    await say(twin, url, 'my own')
    expect(await claiming).toBeUndefined()
  })
})

describe('a room on two replicas', () => {
  it('numbers the messages of both without a gap, in the order in which they are stored', async () => {
    const { boss, worker, url } = await workplaces()
    const seqs = await Promise.all(
      Array.from({ length: 20 }, (_, nth) => say(nth % 2 === 0 ? boss : worker, url, `message ${nth}`)),
    )
    const first = Math.min(...seqs)
    expect(seqs.toSorted((a, b) => a - b)).toEqual(seqs.map((_, nth) => first + nth))
    const texts = await transcript(worker, url)
    expect(texts).toEqual(await transcript(boss, url))
    expect(texts).toHaveLength(20)
  })

  // fidelity safebot/http, same: A room stays while an agent is present at any replica.
  it('is kept while an agent is present at either, and evicted after all have left', async () => {
    const { one, two, advance } = await startReplicas(stores.freshUrl(), { contract: 'observed' })
    const boss = await one.safebot.connect({ handle: 'boss' })
    const url = await createRoom(boss)
    await say(boss, url, 'hello')
    await advance(120_000)
    const reader = await two.safebot.connect({ handle: 'reader' })
    expect(await transcript(reader, url)).toEqual(['hello'])
    await one.close()
    // A replica that looks at the room finds that another one has ended. The room is idle from then on.
    await until(async () => {
      await two.instance.clock.advance(45_001)
      return (await transcript(reader, url)).length === 0
    })
  })

  it('is not evicted by one while a call is parked in it at the other', async () => {
    const { one, two, advance, boss, url } = await workplaces()
    const [room = ''] = /(?<=\/room\/)[^#]+/.exec(url) ?? []
    const [reader, worker] = [await one.agent('reader'), await two.agent('worker')]
    await reader.say(room)
    const first = Object((await worker.claim(room)).json)
    await worker.ack(room, { claim_id: first.claim_id, seq: first.message.seq })
    expect(boss).toBeDefined()
    const claiming = worker.claim(room, '?timeout=90')
    await two.instance.clock.whenPending(1)
    await advance(80_000)
    expect((await reader.get(`/api/rooms/${room}/status`)).status).toBe(200)
    await reader.say(room)
    expect(Object((await claiming).json).message).toBeDefined()
  })

  // fidelity safebot/tasks, differs: A restart loses rooms, cursors and leases. Here: With a store a restart
  // keeps them, because they are in PostgreSQL.
  it('survives a restart, with cursors, leases and keys', async () => {
    const store = stores.freshUrl()
    const world = { rooms: [{ id: 'ROOM22', messages: [{ sender: 'boss', text: 'of the world' }] }] }
    const first = await startSafebot({ store, world })
    const worker = await first.safebot.connect({ handle: 'worker' })
    const url = first.safebot.roomUrl('ROOM22')
    await say(await first.safebot.connect({ handle: 'boss' }), url, 'of the boss')
    await ack(worker, url, await claimNow(worker, url))
    const held = await claimNow(worker, url)
    await first.close()

    const second = await startSafebot({ store, world })
    expect(second.safebot.roomUrl('ROOM22')).toBe(url.replace(first.url, second.url))
    const again = await second.safebot.connect({ handle: 'worker' })
    for (const known of [url, second.safebot.roomUrl('ROOM22')]) {
      expect(await transcript(again, known)).toEqual(['of the world', 'of the boss'])
    }
    expect(await claimNow(again, url)).toEqual(held)
    expect(await ack(again, url, held)).toBe(true)
  })
})
