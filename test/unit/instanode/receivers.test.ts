import { expect, it, vi } from 'vitest'
import { contractOf } from '../../../servers/instanode/contract.js'
import type { Resource } from '../../../servers/instanode/domain/model.js'
import { Receivers } from '../../../servers/instanode/domain/receivers.js'
import { InstanodeStore } from '../../../servers/instanode/domain/store.js'
import { Clock } from '../../../shared/clock/clock.js'
import { IdSource } from '../../../shared/ids.js'
import { MemoryRecords } from '../../../shared/records/memory-records.js'
import { RwLock } from '../../../shared/util/locks.js'

const TOKEN = '6b18bec9-43ea-49f6-9046-1a62374633db'
const REQUEST = { method: 'POST', path: '/', query: '', rawHeaders: [], body: Buffer.from('x') }

/** A store with one receiver, and the receivers on it. */
async function start() {
  const store = new InstanodeStore(new MemoryRecords())
  const hook: Resource = {
    ...{ id: TOKEN, token: TOKEN, type: 'webhook', name: 'hook', tier: 'paid', status: 'active' },
    ...{ owner: null, subnet: '', url: '', createdAt: 0, expiresAt: null, reapAt: null, measureAt: null },
  }
  await store.insert(hook, await store.generation())
  const errors: string[] = []
  const receivers = new Receivers({
    store,
    clock: new Clock({ mode: 'manual' }),
    ids: new IdSource('test'),
    contract: contractOf('documented'),
    lock: new RwLock(),
    log: { warn: () => undefined, error: message => errors.push(message) },
  })
  return { store, receivers, errors }
}

it('a delivery takes two transactions: one finds the receiver, one stores the delivery', async () => {
  const { store, receivers } = await start()
  const transactions = vi.spyOn(store.records, 'transaction')
  await receivers.storeDelivery(TOKEN, REQUEST)
  expect(transactions).toHaveBeenCalledTimes(2)
})

// fidelity instanode/http, same: A delivery that cannot be stored is still answered with an id.
it('a delivery that cannot be stored is accepted, and the server log has the cause', async () => {
  const { store, receivers, errors } = await start()
  const heard: unknown[] = []
  receivers.onDelivery((...told) => heard.push(told))
  store.pushDelivery = () => Promise.reject(new Error('down'))
  expect(await receivers.storeDelivery(TOKEN, REQUEST)).toMatch(/^[0-9a-f-]{36}$/)
  expect([errors.length, heard.length]).toEqual([1, 0])
})

it('a receiver that is closed, or of a state that was replaced, keeps no delivery that is in progress', async () => {
  const store = new InstanodeStore(new MemoryRecords())
  const delivery = { ...REQUEST, id: 'one', receivedAt: 0 }
  const begun = await store.generation()
  expect(await store.pushDelivery(TOKEN, delivery, 10, begun)).toBe(true)
  await store.forgetDeliveries(TOKEN)
  expect(await store.pushDelivery(TOKEN, delivery, 10, begun)).toBe(false)
  await store.load([])
  expect(await store.pushDelivery(TOKEN, delivery, 10, begun)).toBe(false)
  expect(await store.deliveries(TOKEN)).toEqual([])
})
