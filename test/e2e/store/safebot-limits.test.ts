import { describe, expect, it } from 'vitest'
import { HttpStream } from '../../support/clients/http-stream.js'
import { SafebotAgent } from '../../support/clients/safebot-agent.js'
import { useStores } from '../../support/databases/store.js'
import { startReplicas } from '../../support/servers/safebot-replicas.js'

const ROOM = 'room-1'

const stores = useStores()

describe('limits of replicas', () => {
  // fidelity safebot/http, differs: The service counts the rate of a caller as a whole. Here: With a store
  // each replica counts its own requests, because rates are kept in memory.
  it('on rates count for each replica separately', async () => {
    const limits = { requests: { burst: 2, perSecond: 1 } }
    const { one, two } = await startReplicas(stores.freshUrl(), { limits })
    const statuses = async ({ stranger }: typeof one) => {
      const agent = stranger('alice')
      const answers = [await agent.say(ROOM), await agent.say(ROOM), await agent.say(ROOM)]
      return answers.map(({ status }) => status)
    }
    expect(await statuses(one)).toEqual([200, 200, 429])
    expect(await statuses(two)).toEqual([200, 200, 429])
  })

  // fidelity safebot/http, same: With a store, the cap on rooms counts for all replicas together.
  it('on rooms hold for all of them together', async () => {
    const { one, two } = await startReplicas(stores.freshUrl(), { limits: { rooms: 2 } })
    const say = async ({ stranger }: typeof one, room: string) => (await stranger('alice').say(room)).status
    expect([await say(one, 'room-1'), await say(two, 'room-2')]).toEqual([200, 200])
    expect([await say(one, 'room-3'), await say(two, 'room-3')]).toEqual([503, 503])
  })

  // fidelity safebot/http, same: With a store, the limit of signed requests counts for all replicas together.
  it('on signatures hold for all of them together', async () => {
    const { one, two } = await startReplicas(stores.freshUrl(), { limits: { signaturesPerHandle: 2 } })
    const alice = await one.agent('alice')
    const claim = async (base: string) => {
      const target = `/api/rooms/${ROOM}/claim`
      const authorization = alice.authorization('POST', target)
      const asked = new SafebotAgent(base, 'alice', alice.now)
      return (await asked.post(target, { handle: 'alice' }, { authorization })).status
    }
    expect([await claim(one.url), await claim(two.url)]).toEqual([200, 200])
    expect([await claim(one.url), await claim(two.url)]).toEqual([401, 401])
  })
})

// fidelity safebot/http, differs: The service shows each participant to all others. Here: With a store each
// replica shows its own participants, because a connection belongs to one replica.
it('a replica shows its own participants, and no others', async () => {
  const { one, two } = await startReplicas(stores.freshUrl())
  await (await one.agent('alice')).say(ROOM)
  const stream = await HttpStream.open(`${one.url}/api/rooms/${ROOM}/events?name=bob`, 'GET', {})
  await stream.has('"ready"')
  const present = async ({ stranger }: typeof one) =>
    Object((await stranger('carol').get(`/api/rooms/${ROOM}/status`)).json).participants
  expect([await present(one), await present(two)]).toEqual([1, 0])
  stream.drop()
})
