import { expect } from 'vitest'
import { ANY, consumer, fill, inRoom, message, NOW, ROOM, type StoreCase } from './case.js'

/** Cursors, leases and claims. */
export const consumers: StoreCase[] = [
  {
    it: 'keeps cursor, lease and labels of each handle',
    async shows(store) {
      const labels = ['Bob', '\u0000', '\udfff', '"\\']
      const bob = consumer('bob').named(labels).take(3, 'claim-1', NOW, 60_000.5)
      await inRoom(store, tx => tx.saveClaim(bob, 64))
      await inRoom(store, tx => tx.saveConsumer(consumer('carol', ROOM, 9)))
      expect(await inRoom(store, tx => tx.consumer('bob'))).toEqual(bob)
      expect(await inRoom(store, tx => tx.consumer('carol'))).toEqual(consumer('carol', ROOM, 9))
      expect(await inRoom(store, tx => tx.consumer('dave'))).toBeUndefined()
      const all = await inRoom(store, tx => tx.consumers())
      expect(all.map(({ handle }) => handle).toSorted()).toEqual(['bob', 'carol'])
    },
  },
  {
    it: 'keeps them when the room goes',
    async shows(store) {
      await fill(store, [message(1)])
      await inRoom(store, tx => tx.saveClaim(consumer('bob', ROOM, 1), 64))
      await inRoom(store, tx => tx.removeRoom())
      expect(await inRoom(store, tx => tx.consumer('bob'))).toEqual(consumer('bob', ROOM, 1))
    },
  },
  {
    it: 'lets go of the least recently claimed beyond what a handle may keep, and of no other handle',
    async shows(store) {
      const claim = (handle: string, id: string) =>
        store.transaction(id, tx => tx.saveClaim(consumer(handle, id, 1), 3))
      const has = (id: string) => store.transaction(id, tx => tx.consumer('bob'))
      for (const id of ['room-a', 'room-b', 'room-c', 'room-a']) await claim('bob', id)
      await claim('carol', 'room-b')
      await claim('bob', 'room-d')
      expect(await has('room-b')).toBeUndefined()
      expect(await store.transaction('room-b', tx => tx.consumer('carol'))).toBeDefined()
      for (const id of ['room-a', 'room-c', 'room-d']) expect(await has(id)).toBeDefined()
    },
  },
  {
    it: 'keeps a handle to its rooms when it claims in many at once',
    async shows(store) {
      const ids = Array.from({ length: 12 }, (_, at) => `room-${at}`)
      await Promise.all(ids.map(id => store.transaction(id, tx => tx.saveClaim(consumer('bob', id, 1), 3))))
      const left = (await store.dump()).consumers
      expect(left).toHaveLength(3)
    },
  },
  {
    it: 'answers the same whether it knew what would be asked or not',
    async shows(store) {
      await fill(store, [message(1, { sender: 'bob' }), message(2), message(3)])
      const senders = ['bob', '@bob']
      const claim = async (foreseen: boolean) =>
        store.transaction(
          ROOM,
          async tx => {
            const known = (await tx.consumer('bob')) ?? consumer('bob')
            return [
              known,
              known.lease && (await tx.message(known.lease.seq)),
              await tx.next(known.cursor, senders),
            ]
          },
          foreseen ? { handle: 'bob', senders } : undefined,
        )
      expect(await claim(true)).toEqual(await claim(false))
      await inRoom(store, tx => tx.saveClaim(consumer('bob').take(2, 'claim-1', NOW), 64))
      expect(await claim(true)).toEqual([expect.anything(), message(2), message(2)])
      expect(await claim(true)).toEqual(await claim(false))
      await inRoom(store, tx => tx.saveConsumer(consumer('bob', ROOM, 2)))
      expect(await claim(true)).toEqual([expect.anything(), null, message(3)])
      await inRoom(store, tx => tx.saveConsumer(consumer('bob', ROOM, 3)))
      expect(await claim(true)).toEqual([expect.anything(), null, undefined])
    },
  },
  {
    it: 'answers one who foresaw what another has changed just before',
    async shows(store) {
      await fill(store, [message(1), message(2)])
      const foresight = { handle: 'bob', senders: ['bob'] }
      // The first keeps the room busy, so that those behind it come together.
      const first = store.transaction(ROOM, async tx => void (await tx.count()))
      const ack = store.transaction(ROOM, tx => tx.saveConsumer(consumer('bob', ROOM, 2)), { handle: 'bob' })
      const post = store.transaction(ROOM, tx => tx.append(message(3)), { posting: true })
      const prune = store.transaction(ROOM, tx => tx.prune(ANY.now, ANY.instant, 2))
      const claim = store.transaction(
        ROOM,
        async tx => {
          const cursor = (await tx.consumer('bob'))?.cursor ?? 0
          return (await tx.next(cursor, ['bob']))?.seq
        },
        foresight,
      )
      await Promise.all([first, ack, post, prune])
      expect(await claim).toBe(3)
    },
  },
]
