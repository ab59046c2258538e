import { expect } from 'vitest'
import { REMEMBERED_MS } from '../../../../servers/safebot/domain/nonces.js'
import { fill, HOUR, inRoom, message, NOW, ROOM, type StoreCase, TABLES } from './case.js'

const [bob, carol] = TABLES.identities

/** Who has registered, what was used up, who holds rooms; and all of it taken and put in place. */
export const whole: StoreCase[] = [
  {
    it: 'gives a handle to the first who asks, of many at once, too',
    async shows(store) {
      if (bob === undefined || carol === undefined) throw new Error('there are two of them')
      const rivals = Array.from({ length: 5 }, (_, at) => ({ ...bob, signPub: `key-${at}` }))
      const had = await Promise.all(rivals.map(rival => store.addIdentity(rival)))
      expect(had.filter(Boolean)).toHaveLength(1)
      expect(await store.identity('bob')).toEqual(rivals[had.indexOf(true)])
      expect(await store.addIdentity(carol)).toBe(true)
      expect([await store.identityCount(), await store.identity('dave')]).toEqual([2, undefined])
    },
  },
  {
    it: 'lets a nonce be used once by its owner, for as long as it could be used again',
    async shows(store) {
      const use = (owner: string, nonce: string, now: number, kind: 'requests' | 'messages' = 'requests') =>
        store.useNonce(kind, { owner, nonce, at: now, freshUntil: now }, Number.POSITIVE_INFINITY, now)
      const many = await Promise.all(Array.from({ length: 5 }, () => use('bob', 'n-1', NOW)))
      expect(many.filter(Boolean)).toHaveLength(1)
      expect(await use('carol', 'n-1', NOW)).toBe(true)
      expect(await use('bob', 'n-1', NOW, 'messages')).toBe(true)
      expect(await use('bob', 'n-1', NOW + REMEMBERED_MS - 1)).toBe(false)
      expect(await use('bob', 'n-1', NOW + REMEMBERED_MS)).toBe(true)
      expect(await use('bob', 'n-1', NOW + REMEMBERED_MS)).toBe(false)
    },
  },
  {
    it: 'remembers so many nonces of an owner, and no more, until the first of them is old',
    async shows(store) {
      const use = (nonce: string, now: number) =>
        store.useNonce('requests', { owner: 'bob', nonce, at: now, freshUntil: now }, 3, now)
      const many = await Promise.all(['a', 'b', 'c', 'd', 'e'].map(nonce => use(nonce, NOW)))
      expect(many.filter(Boolean)).toHaveLength(3)
      expect(await use('f', NOW + REMEMBERED_MS - 1)).toBe(false)
      expect(await use('f', NOW + REMEMBERED_MS)).toBe(true)
      const byCarol = { owner: 'carol', nonce: 'a', at: NOW, freshUntil: NOW }
      expect(await store.useNonce('requests', byCarol, 3, NOW)).toBe(true)
    },
  },
  {
    it: 'refuses a nonce until both clocks have passed the time for which its signature is fresh',
    async shows(store) {
      const freshUntil = NOW + 10 * REMEMBERED_MS
      const use = (now: number, machineNow: number) =>
        store.useNonce('requests', { owner: 'bob', nonce: 'n', at: now, freshUntil }, 3, machineNow)
      expect(await use(NOW, freshUntil)).toBe(true)
      expect(await use(NOW + REMEMBERED_MS, freshUntil + 1)).toBe(false)
      expect(await use(freshUntil, freshUntil + 1)).toBe(false)
      expect(await use(freshUntil + 1, freshUntil)).toBe(false)
      expect(await use(freshUntil + 1, freshUntil + 1)).toBe(true)
    },
  },
  {
    it: 'counts only the nonces of the last 120 s by the instance, though it remembers others',
    async shows(store) {
      const freshUntil = NOW + HOUR
      const use = (nonce: string, now: number) =>
        store.useNonce('messages', { owner: 'bob', nonce, at: now, freshUntil }, 2, NOW + 2 * HOUR)
      expect([await use('a', NOW), await use('b', NOW), await use('c', NOW)]).toEqual([true, true, false])
      const later = NOW + REMEMBERED_MS
      expect([await use('c', later), await use('a', later), await use('d', later)]).toEqual([
        true,
        false,
        true,
      ])
      expect(await use('e', later)).toBe(false)
    },
  },
  {
    it: 'knows since when a room is held, and when it was left',
    async shows(store) {
      const unheld = () => inRoom(store, tx => tx.unheld(NOW + 99))
      const never = Number.NEGATIVE_INFINITY
      const always = Number.POSITIVE_INFINITY
      await fill(store, [])
      expect(await unheld()).toEqual({ from: never, until: always })
      await store.hold(ROOM, NOW)
      expect(await unheld()).toEqual({ from: never, until: NOW })
      await store.release(ROOM, NOW + 5)
      expect(await unheld()).toEqual({ from: NOW + 5, until: always })
      await store.hold(ROOM, NOW + 7)
      expect(await unheld()).toEqual({ from: NOW + 5, until: NOW + 7 })
      await inRoom(store, tx => tx.removeRoom())
      expect(await unheld()).toEqual({ from: never, until: NOW + 7 })
      await store.release(ROOM, NOW + 9)
      expect(await unheld()).toEqual({ from: never, until: always })
    },
  },
  {
    it: 'gives back all that it was given, any number of times, and nothing of what it held before',
    async shows(store) {
      await fill(store, [message(1)], 'room-of-before')
      await store.useNonce('registrations', { owner: 'bob', nonce: 'n', at: NOW, freshUntil: NOW }, 10, NOW)
      await store.load(TABLES)
      expect(await store.dump()).toEqual(TABLES)
      await inRoom(store, tx => tx.append(message(3)))
      await store.load(TABLES)
      expect(await store.dump()).toEqual(TABLES)
      expect(await store.usage()).toEqual({ rooms: 2, messages: 2, ciphertextChars: 80 })
      await inRoom(store, tx => tx.prune(NOW + 30_002, 0, 10))
      expect(await inRoom(store, tx => tx.oldestSeq())).toBe(2)
    },
  },
  {
    it: 'goes on with the claims it was given in the order in which they were made',
    async shows(store) {
      await store.load(TABLES)
      await store.transaction('room-3', async tx => {
        const known = await tx.consumer('bob')
        expect(known).toBeUndefined()
      })
      await store.transaction('room-2', async tx => {
        const known = await tx.consumer('bob')
        if (known !== undefined) await tx.saveClaim(known, 64)
      })
      expect((await store.dump()).consumers.map(({ roomId }) => roomId)).toEqual([ROOM, 'room-2'])
    },
  },
]
