import { expect } from 'vitest'
import { fill, inRoom, message, NOW, ROOM, room, type StoreCase } from './case.js'

const sum = { rooms: 0, messages: 0, ciphertextChars: 0 }

/** Rooms, and who is alone in them. */
export const rooms: StoreCase[] = [
  {
    it: 'has no room that nobody has saved, and one that somebody has',
    async shows(store) {
      expect(await inRoom(store, tx => tx.room())).toBeUndefined()
      await inRoom(store, tx => tx.saveRoom(room(ROOM, { activeAt: NOW + 1, lastSeq: 5, signedOnly: true })))
      expect(await inRoom(store, tx => tx.room())).toEqual(
        room(ROOM, { activeAt: NOW + 1, lastSeq: 5, signedOnly: true }),
      )
    },
  },
  {
    it: 'shows to a work what that has written itself',
    async shows(store) {
      await inRoom(store, async tx => {
        await tx.saveRoom(room())
        await tx.append(message(1))
        await tx.append(message(2, { sender: 'bob' }))
        expect(await tx.room()).toEqual(room())
        expect([await tx.count(), await tx.oldestSeq()]).toEqual([2, 1])
        expect(await tx.next(0, ['alice'])).toEqual(message(2, { sender: 'bob' }))
        expect(await tx.message(1)).toEqual(message(1))
        expect((await tx.messages(1, 10)).map(({ seq }) => seq)).toEqual([2])
        expect(await tx.usage()).toEqual({ rooms: 1, messages: 2, ciphertextChars: 80 })
      })
    },
  },
  {
    it: 'keeps works in a room apart, in the order in which they came, and those in others not',
    async shows(store) {
      const seen: string[] = []
      let go = () => {}
      const gone = new Promise<void>(resolve => {
        go = resolve
      })
      const first = inRoom(store, async () => {
        seen.push('first comes')
        await gone
        seen.push('first goes')
      })
      const second = inRoom(store, async () => void seen.push('second'))
      await store.transaction('room-2', async () => void seen.push('elsewhere'))
      go()
      await Promise.all([first, second])
      expect(seen).toEqual(['first comes', 'elsewhere', 'first goes', 'second'])
    },
  },
  {
    it: 'counts a hundred works of a room one after the other, none lost',
    async shows(store) {
      await fill(store, [])
      const add = () =>
        inRoom(store, async tx => {
          const known = (await tx.room()) ?? room()
          await tx.append(message(known.lastSeq + 1))
          await tx.saveRoom({ ...known, lastSeq: known.lastSeq + 1 })
        })
      await Promise.all(Array.from({ length: 100 }, add))
      expect(await inRoom(store, tx => tx.room())).toMatchObject({ lastSeq: 100 })
      expect(await inRoom(store, tx => tx.count())).toBe(100)
    },
  },
  {
    it: 'tells of a work that failed, and goes on with those that came with it',
    async shows(store) {
      const works = [1, 2, 3].map(nth =>
        inRoom(store, async tx => {
          if (nth === 2) throw new Error('the second')
          const known = (await tx.room()) ?? room()
          await tx.saveRoom({ ...known, lastSeq: known.lastSeq + nth })
        }),
      )
      const ended = await Promise.allSettled(works)
      expect(ended.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
      expect(await inRoom(store, tx => tx.room())).toMatchObject({ lastSeq: 4 })
    },
  },
  {
    it: 'removes a room with its buffer, and one of the same id begins anew',
    async shows(store) {
      await fill(store, [message(1), message(2)])
      await inRoom(store, async tx => {
        await tx.removeRoom()
        expect([await tx.room(), await tx.count(), await tx.next(0, [])]).toEqual([undefined, 0, undefined])
        expect(await tx.usage()).toEqual(sum)
      })
      expect(await store.usage()).toEqual(sum)
      await fill(store, [message(7)])
      expect(await inRoom(store, tx => tx.messages(0, 10))).toEqual([message(7)])
    },
  },
  {
    it: 'removes a room and opens it again in one go',
    async shows(store) {
      await fill(store, [message(1)])
      await inRoom(store, async tx => {
        await tx.removeRoom()
        await tx.saveRoom(room(ROOM, { createdAt: NOW + 9 }))
        await tx.append(message(1, { sender: 'bob' }))
      })
      expect(await inRoom(store, tx => tx.room())).toMatchObject({ createdAt: NOW + 9 })
      expect(await inRoom(store, tx => tx.messages(0, 10))).toEqual([message(1, { sender: 'bob' })])
    },
  },
  {
    it: 'names its rooms, and those of them that were last active before an instant',
    async shows(store) {
      for (const [at, id] of ['room-a', 'room-b', 'room-c'].entries()) {
        await store.transaction(id, tx => tx.saveRoom(room(id, { createdAt: NOW + at, activeAt: NOW + at })))
      }
      expect(await store.roomIds()).toEqual(['room-a', 'room-b', 'room-c'])
      expect(await store.roomIds(NOW + 1)).toEqual(['room-a'])
    },
  },
  {
    it: 'adds up what is in all rooms',
    async shows(store) {
      await fill(store, [message(1), message(2, { ciphertext: 'abcd' })])
      await fill(store, [message(1)], 'room-2')
      expect(await store.usage()).toEqual({ rooms: 2, messages: 3, ciphertextChars: 84 })
      expect(await inRoom(store, tx => tx.usage())).toEqual(await store.usage())
    },
  },
]
