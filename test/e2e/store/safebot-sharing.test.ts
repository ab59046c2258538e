import { describe, expect, it } from 'vitest'
import { HttpStream } from '../../support/clients/http-stream.js'
import { createRoom, say, transcript } from '../../support/clients/room.js'
import { anyCipher, freshNonce, SafebotAgent } from '../../support/clients/safebot-agent.js'
import { useStores } from '../../support/databases/store.js'
import { startSafebot } from '../../support/servers/safebot.js'
import { startReplicas } from '../../support/servers/safebot-replicas.js'
import { call, textOf } from '../../support/servers/understudy.js'

const ROOM = 'room-1'

const stores = useStores()

describe('a request that was signed for one replica', () => {
  it('is refused by the other replica', async () => {
    const { one, two } = await startReplicas(stores.freshUrl())
    const alice = await one.agent('alice')
    const target = `/api/rooms/${ROOM}/claim`
    const authorization = alice.authorization('POST', target, { nonce: freshNonce() })
    const ask = (base: string) =>
      new SafebotAgent(base, 'alice', alice.now).post(target, { handle: 'alice' }, { authorization })
    expect((await ask(one.url)).status).toBe(200)
    expect((await ask(two.url)).status).toBe(401)
    expect((await ask(one.url)).status).toBe(401)
  })

  it('is accepted once, if it reaches both at the same time', async () => {
    const { one, two } = await startReplicas(stores.freshUrl())
    const alice = await one.agent('alice')
    const cipher = anyCipher()
    const signed = { ...cipher, ...alice.vouching(ROOM, cipher.ciphertext) }
    const post = ({ url }: { url: string }) =>
      new SafebotAgent(url, 'alice', alice.now).post(`/api/rooms/${ROOM}/messages`, signed)
    const answers = await Promise.all([one, two, one, two].map(post))
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 401, 401, 401])
  })

  it('is a registration that the other refuses', async () => {
    const { one, two } = await startReplicas(stores.freshUrl())
    const alice = one.stranger('alice')
    const registration = alice.registration()
    const register = (base: string) =>
      new SafebotAgent(base, 'alice', alice.now).post('/api/identity/register', registration)
    expect((await register(one.url)).status).toBe(201)
    expect((await register(two.url)).status).toBe(409)
  })
})

it('a handle belongs to its first owner, at either replica', async () => {
  const { one, two } = await startReplicas(stores.freshUrl())
  const rivals = [one, two, one, two].map(({ stranger }) => stranger('alice'))
  const answers = await Promise.all(rivals.map(rival => rival.register()))
  expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 409, 409, 409])
  const winner = rivals[answers.findIndex(({ status }) => status === 201)]
  for (const { stranger } of [one, two]) {
    const card = await stranger('bob').get('/api/identity/alice')
    expect(Object(card.json).sign_pub).toBe(winner?.signPub)
  }
})

describe('the events of a room at one replica', () => {
  // fidelity safebot/http, differs: The `locked` event comes before the message that locks the room. Here:
  // Another replica promises no order of the two, because it learns of both from the store.
  it('include messages and locks from the other replica', async () => {
    const { one, two } = await startReplicas(stores.freshUrl())
    const alice = await one.agent('alice')
    const stream = await HttpStream.open(`${two.url}/api/rooms/${ROOM}/events`, 'GET', {})
    await stream.has('"ready"')
    const first = await alice.say(ROOM)
    await stream.has(Object(first.json).id)
    await alice.saySigned(ROOM, anyCipher(), { signed_only: true })
    await stream.has('"locked"')
    const twin = two.stranger('bob')
    expect((await twin.say(ROOM)).status).toBe(403)
    stream.drop()
  })
})

describe('the world', () => {
  const world = { rooms: [{ id: 'ROOM22', messages: [{ sender: 'boss', text: 'of the world' }] }] }

  it('is loaded once, by the first replica, and its rooms have one URL', async () => {
    const store = stores.freshUrl()
    const started = await Promise.all([1, 2, 3].map(() => startSafebot({ store, world })))
    const keys = started.map(({ safebot }) => safebot.roomUrl('ROOM22').replace(/^.*#/, ''))
    expect(new Set(keys).size).toBe(1)
    for (const { safebot } of started) {
      const reader = await safebot.connect({ handle: 'reader' })
      for (const other of started) {
        expect(await transcript(reader, other.safebot.roomUrl('ROOM22'))).toEqual(['of the world'])
      }
    }
  })

  it('that one replica loads is loaded for the other: parked calls there are refused, and the keys are new', async () => {
    const { one, two } = await startReplicas(stores.freshUrl(), { world })
    const before = two.safebot.roomUrl('ROOM22')
    const boss = await one.safebot.connect({ handle: 'boss' })
    const url = await createRoom(boss)
    await say(boss, url, 'to be forgotten')
    const worker = await two.safebot.connect({ handle: 'worker' })
    // Its own message is not a task for it, so the claim waits.
    const parked = call(await two.safebot.connect({ handle: 'boss' }), 'claim_task', { url })
    await two.instance.clock.whenPending(1)

    const begun = await one.safebot.state.begin({ rooms: [{ id: 'ROOM33' }] }, one.instance.clock.now())
    await one.safebot.state.alone(() => begun.place())
    expect(textOf(await parked)).toContain('put back to another state')
    expect(await transcript(worker, url)).toEqual([])
    expect(two.safebot.roomUrl('ROOM33').replace(two.url, '')).toBe(
      one.safebot.roomUrl('ROOM33').replace(one.url, ''),
    )
    expect(() => two.safebot.roomUrl('ROOM22')).toThrow('the world has no room')
    expect(before).toContain('ROOM22')
  })

  it('that cannot be loaded leaves nothing, and the next replica loads its own', async () => {
    const store = stores.freshUrl()
    const bad = { rooms: [{ id: 'ROOM22', consumers: [{ handle: 'bob', acknowledged: 1 }] }] }
    await expect(startSafebot({ store, world: bad })).rejects.toThrow(
      'at this time the room has no message number 1',
    )
    const { safebot } = await startSafebot({ store, world })
    expect(safebot.roomUrl('ROOM22')).toContain('ROOM22')
  })

  it('of a snapshot is restored for both replicas', async () => {
    const { one, two } = await startReplicas(stores.freshUrl(), { world })
    const [boss, reader] = [
      await one.safebot.connect({ handle: 'boss' }),
      await two.safebot.connect({ handle: 'reader' }),
    ]
    const url = await createRoom(boss)
    await say(boss, url, 'kept')
    const kept = await one.safebot.state.alone(() => one.safebot.state.keep())
    await say(boss, url, 'not kept')
    expect(await transcript(reader, url)).toEqual(['kept', 'not kept'])
    await one.safebot.state.alone(() => kept.place())
    expect(await transcript(reader, url)).toEqual(['kept'])
    expect(await transcript(boss, two.safebot.roomUrl('ROOM22'))).toEqual(['of the world'])
  })
})
