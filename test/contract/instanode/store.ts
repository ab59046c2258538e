import { expect } from 'vitest'
import type { Account, Delivery, Resource } from '../../../servers/instanode/domain/model.js'
import type { InstanodeStore, InstanodeTables } from '../../../servers/instanode/store/store.js'

export function account(id: string, more: Partial<Account> = {}): Account {
  return { id, userId: `user of ${id}`, plan: 'free', fixedToken: null, ...more }
}

export function resource(token: string, more: Partial<Resource> = {}): Resource {
  return {
    ...{ id: `id of ${token}`, token, type: 'webhook', name: 'näme', tier: 'anonymous', status: 'active' },
    ...{ owner: null, subnet: '127.0.0.0/24', url: `http://here/${token}`, createdAt: 1_767_225_600_123 },
    ...{ expiresAt: null, reapAt: null, measureAt: null, ...more },
  }
}

export function delivery(id: string, more: Partial<Delivery> = {}): Delivery {
  return {
    ...{ id, method: 'POST', path: '/webhook/receive/x', query: 'a=1&b', receivedAt: 1_767_225_600_456 },
    ...{ rawHeaders: ['X-Twice', 'one', 'x-twice', 'tw\u00f6'], body: Buffer.from([0, 255, 10]), ...more },
  }
}

const tokensOf = (resources: readonly Resource[]) => resources.map(({ token }) => token)
const idsOf = (deliveries: readonly Delivery[]) => deliveries.map(({ id }) => id)

const DAY = '2026-03-01'

const TABLES: InstanodeTables = {
  accounts: [account('b', { plan: 'paid', fixedToken: 'fixed' }), account('a')],
  provisions: [
    { day: DAY, subnet: '10.0.0.0/24', count: 3 },
    { day: DAY, subnet: 'x'.repeat(5000), count: 5 },
  ],
  resources: [
    resource('later', { createdAt: 5, owner: 'b', tier: 'paid', status: 'quota_exceeded', type: 'postgres' }),
    resource('dead', { status: 'reaped', subnet: 'y'.repeat(5000) }),
    resource('short', { expiresAt: 10, reapAt: 20, measureAt: 15 }),
  ],
  deliveries: [
    { token: 'short', delivery: delivery('1') },
    {
      token: 'short',
      delivery: delivery('2', { query: '\0 \ud800', body: Buffer.alloc(0), rawHeaders: [] }),
    },
  ],
}

/** What every store of Instanode does: a title, and a run on an empty one. */
export const STORE_CASES: Readonly<Record<string, (store: InstanodeStore) => Promise<void>>> = {
  'keeps accounts in the order they came in, and one of the same id in its place': async store => {
    await store.saveAccount(account('b', { fixedToken: 'fixed' }))
    await store.saveAccount(account('a'))
    await store.saveAccount(account('b', { fixedToken: 'fixed', plan: 'paid' }))
    const changed = account('b', { fixedToken: 'fixed', plan: 'paid' })
    expect(await store.accounts()).toEqual([changed, account('a')])
    expect(await store.accountByToken('fixed')).toEqual(changed)
    expect(await store.accountByUser('user of a')).toEqual(account('a'))
    expect(await store.accountByToken('another')).toBeUndefined()
    expect(await store.accountByUser('nobody')).toBeUndefined()
  },

  'counts provisions up to the cap, by subnet and day': async store => {
    const counted = []
    for (let nth = 0; nth < 4; nth++) counted.push(await store.countProvision('one', DAY, 3))
    expect(counted).toEqual([true, true, true, false])
    expect(await store.countProvision('another', DAY, 3)).toBe(true)
    expect(await store.countProvision('one', '2026-03-02', 3)).toBe(true)
    expect(await store.countProvision('one', '2026-03-02', 0)).toBe(false)
    expect(await store.countProvision('x'.repeat(5000), '2026-03-02', 1)).toBe(true)
    expect(await store.countProvision('x'.repeat(5000), '2026-03-02', 1)).toBe(false)
  },

  'counts exactly the cap when all come at once': async store => {
    const counted = await Promise.all(Array.from({ length: 20 }, () => store.countProvision('one', DAY, 5)))
    expect(counted.filter(one => one)).toHaveLength(5)
  },

  'forgets the counts of days that are over': async store => {
    for (const day of ['2026-02-27', DAY, '2026-03-02', '2026-03-03'])
      await store.countProvision('one', day, 5)
    const days = (await store.dump()).provisions.map(({ day }) => day)
    expect(days).toContain('2026-03-03')
    expect(days).not.toContain('2026-02-27')
    expect(days).not.toContain(DAY)
  },

  'finds a resource as it was kept, by its token alone': async store => {
    const kept = resource('one', { owner: 'a', expiresAt: 1, reapAt: 2, measureAt: 3 })
    await store.insert(kept, await store.epoch())
    expect(await store.find('one')).toEqual(kept)
    expect(await store.find('two')).toBeUndefined()
  },

  'keeps no resource that was begun in another state': async store => {
    const before = await store.epoch()
    expect(await store.insert(resource('one'), before)).toBe(true)
    await store.load(TABLES)
    expect(await store.insert(resource('two'), before)).toBe(false)
    expect(await store.find('two')).toBeUndefined()
    expect(await store.insert(resource('two'), await store.epoch())).toBe(true)
  },

  'lists resources by creation, of an account and of a subnet the last first': async store => {
    await store.insert(resource('first', { owner: 'a', createdAt: 7 }), await store.epoch())
    await store.insert(resource('second', { owner: 'a', createdAt: 7 }), await store.epoch())
    await store.insert(resource('early', { owner: 'a', createdAt: 3, type: 'postgres' }), await store.epoch())
    await store.insert(resource('else', { subnet: 'y'.repeat(5000) }), await store.epoch())
    expect(tokensOf(await store.resources())).toEqual(['first', 'second', 'early', 'else'])
    expect(tokensOf(await store.ownedBy('a'))).toEqual(['second', 'first', 'early'])
    expect(await store.ownedBy('b')).toEqual([])
    expect(tokensOf(await store.madeFrom('127.0.0.0/24', 'webhook'))).toEqual(['second', 'first'])
    expect(tokensOf(await store.madeFrom('127.0.0.0/24', 'postgres'))).toEqual(['early'])
    expect(tokensOf(await store.madeFrom('y'.repeat(5000), 'webhook'))).toEqual(['else'])
  },

  'changes a resource to what it is to be, and tells what was written': async store => {
    await store.insert(resource('one'), await store.epoch())
    const changed = resource('one', { owner: 'a', status: 'deleted', reapAt: 9 })
    expect(await store.alter('one', async () => changed)).toEqual(changed)
    expect(await store.find('one')).toEqual(changed)
    expect(tokensOf(await store.ownedBy('a'))).toEqual(['one'])
    await store.alter('one', async there => there && { ...there, owner: 'b' })
    expect([await store.ownedBy('a'), tokensOf(await store.ownedBy('b'))]).toEqual([[], ['one']])
    await store.alter('one', async there => there && { ...there, owner: null })
    expect(await store.ownedBy('b')).toEqual([])
  },

  'leaves a resource if its change is undefined or throws, and makes none': async store => {
    await store.insert(resource('one'), await store.epoch())
    expect(await store.alter('one', async () => undefined)).toBeUndefined()
    await expect(store.alter('one', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await store.find('one')).toEqual(resource('one'))
    const asked: unknown[] = []
    const made = await store.alter('nobody', async there => {
      asked.push(there)
      return resource('nobody')
    })
    expect([made, asked, await store.find('nobody')]).toEqual([undefined, [undefined], undefined])
  },

  'changes one resource by one change at a time': async store => {
    await store.insert(resource('one', { createdAt: 0 }), await store.epoch())
    const add = () => store.alter('one', async there => there && { ...there, createdAt: there.createdAt + 1 })
    await Promise.all(Array.from({ length: 25 }, add))
    expect((await store.find('one'))?.createdAt).toBe(25)
  },

  'knows what is due, and when something will be': async store => {
    expect(await store.nextDue()).toBeUndefined()
    await store.insert(resource('late', { reapAt: 20 }), await store.epoch())
    await store.insert(resource('both', { reapAt: 20, measureAt: 10 }), await store.epoch())
    await store.insert(resource('never'), await store.epoch())
    expect(await store.nextDue()).toBe(10)
    expect([await store.due(9), await store.due(10)]).toEqual([[], ['both']])
    expect((await store.due(20)).toSorted()).toEqual(['both', 'late'])
    await store.alter('both', async there => there && { ...there, reapAt: null, measureAt: null })
    expect([await store.due(20), await store.nextDue()]).toEqual([['late'], 20])
  },

  'keeps the newest deliveries of a receiver, byte for byte': async store => {
    for (const token of ['one', 'two']) await store.insert(resource(token), await store.epoch())
    expect(await store.pushDelivery('two', delivery('other'), 2)).toBe(true)
    for (const id of ['1', '2', '3']) await store.pushDelivery('one', delivery(id), 2)
    expect(await store.deliveries('one')).toEqual([delivery('3'), delivery('2')])
    expect(await store.delivery('one', '2')).toEqual(delivery('2'))
    expect(await store.delivery('one', '1')).toBeUndefined()
    expect(await store.delivery('two', '2')).toBeUndefined()
    await store.pushDelivery('one', delivery('4'), 1)
    expect(idsOf(await store.deliveries('one'))).toEqual(['4'])
    await store.forgetDeliveries('one')
    expect([await store.deliveries('one'), idsOf(await store.deliveries('two'))]).toEqual([[], ['other']])
  },

  'keeps no more deliveries than it may when they come at once': async store => {
    await store.insert(resource('one'), await store.epoch())
    await Promise.all(
      Array.from({ length: 30 }, (_, nth) => store.pushDelivery('one', delivery(`${nth}`), 4)),
    )
    expect(await store.deliveries('one')).toHaveLength(4)
  },

  'keeps no delivery to what is over, or is nothing': async store => {
    await store.insert(resource('one', { status: 'expired' }), await store.epoch())
    for (const token of ['one', 'nobody']) {
      expect(await store.pushDelivery(token, delivery('1'), 2)).toBe(false)
      expect(await store.deliveries(token)).toEqual([])
    }
  },

  'is exactly what was loaded, and goes on from there': async store => {
    await store.saveAccount(account('gone'))
    await store.countProvision('gone', DAY, 5)
    await store.insert(resource('gone', { owner: 'b', reapAt: 1 }), await store.epoch())
    await store.pushDelivery('gone', delivery('gone'), 5)
    await store.load(TABLES)
    expect(await store.dump()).toEqual(TABLES)
    expect([await store.find('gone'), await store.deliveries('gone')]).toEqual([undefined, []])
    expect(tokensOf(await store.ownedBy('b'))).toEqual(['later'])
    expect(await store.nextDue()).toBe(15)
    expect(await store.countProvision('x'.repeat(5000), DAY, 5)).toBe(false)
    await store.insert(resource('next'), await store.epoch())
    await store.pushDelivery('short', delivery('3'), 2)
    expect(tokensOf(await store.resources())).toEqual(['later', 'dead', 'short', 'next'])
    expect(idsOf(await store.deliveries('short'))).toEqual(['3', '2'])
  },
}
