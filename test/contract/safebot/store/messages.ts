import { expect } from 'vitest'
import { ANY, fill, inRoom, message, NOW, type StoreCase, seqsIn } from './case.js'

const UNUSUAL = ['\u0000', '\ud800 alone', 'a "quoted" \\ one', '\\u0000', 'naïve 🙂', '']

/** The buffer of a room. */
export const messages: StoreCase[] = [
  {
    it: 'gives messages back as they were, whatever their sender is called',
    async shows(store) {
      const all = UNUSUAL.map((sender, at) => message(at + 1, { sender }))
      await fill(store, [...all, message(9, { replyTo: 'abcdefgh', ttlMs: 30_000.25, senderVerified: true })])
      expect(await inRoom(store, tx => tx.messages(0, 100))).toEqual([
        ...all,
        message(9, { replyTo: 'abcdefgh', ttlMs: 30_000.25, senderVerified: true }),
      ])
    },
  },
  {
    it: 'finds the first message from none of the senders it is to pass over, whatever they are called',
    async shows(store) {
      await fill(
        store,
        UNUSUAL.map((sender, at) => message(at + 1, { sender })),
      )
      for (const [at, sender] of UNUSUAL.entries()) {
        const others = UNUSUAL.filter(other => other !== sender)
        expect(await inRoom(store, tx => tx.next(0, others))).toMatchObject({ seq: at + 1, sender })
      }
      expect(await inRoom(store, tx => tx.next(0, UNUSUAL))).toBeUndefined()
      expect(await inRoom(store, tx => tx.next(3, []))).toMatchObject({ seq: 4 })
    },
  },
  {
    it: 'gives out a page behind any number that may be asked for',
    async shows(store) {
      await fill(
        store,
        [1, 2, 4, 5].map(seq => message(seq)),
      )
      const page = async (after: number, limit: number) =>
        (await inRoom(store, tx => tx.messages(after, limit))).map(({ seq }) => seq)
      expect(await page(1, 2)).toEqual([2, 4])
      expect(await page(3, 100)).toEqual([4, 5])
      expect(await page(1.5, 100)).toEqual([2, 4, 5])
      expect(await page(-7, 1)).toEqual([1])
      expect(await page(1e300, 5)).toEqual([])
      expect(await page(Number.POSITIVE_INFINITY, 5)).toEqual([])
      expect(await inRoom(store, tx => tx.message(3))).toBeUndefined()
      expect(await inRoom(store, tx => tx.message(4))).toEqual(message(4))
    },
  },
  {
    it: 'lets go of the oldest beyond what it is to keep',
    async shows(store) {
      await fill(
        store,
        [1, 2, 3, 4].map(seq => message(seq)),
      )
      await inRoom(store, tx => tx.prune(ANY.now, ANY.instant, 3))
      expect(await seqsIn(store)).toEqual([2, 3, 4])
      expect(await inRoom(store, tx => tx.oldestSeq())).toBe(2)
      expect(await store.usage()).toMatchObject({ messages: 3, ciphertextChars: 120 })
    },
  },
  {
    it: 'lets go of what came before an instant, up to the first that did not',
    async shows(store) {
      const ages = [NOW, NOW + 1, NOW + 9, NOW + 2]
      await fill(
        store,
        ages.map((ts, at) => message(at + 1, { ts })),
      )
      await inRoom(store, tx => tx.prune(ANY.now, NOW + 5, ANY.keep))
      expect(await seqsIn(store)).toEqual([3, 4])
      await inRoom(store, tx => tx.prune(ANY.now, NOW + 10, ANY.keep))
      expect(await seqsIn(store)).toEqual([])
      expect(await inRoom(store, tx => tx.oldestSeq())).toBeUndefined()
    },
  },
  {
    it: 'lets go of a message at the end of the time it wished for, and of one with 0 not',
    async shows(store) {
      await fill(store, [
        message(1, { ts: NOW, ttlMs: 0 }),
        message(2, { ts: NOW, ttlMs: 30_000 }),
        message(3, { ts: NOW, ttlMs: 40_000 }),
      ])
      await inRoom(store, tx => tx.prune(NOW + 29_999, 0, ANY.keep))
      expect(await seqsIn(store)).toEqual([1, 2, 3])
      await inRoom(store, tx => tx.prune(NOW + 30_000, 0, ANY.keep))
      expect(await seqsIn(store)).toEqual([1, 3])
      await inRoom(store, tx => tx.prune(NOW + 40_000, 0, ANY.keep))
      expect(await seqsIn(store)).toEqual([1])
    },
  },
  {
    it: 'lets go of what has come in the same work, too',
    async shows(store) {
      await fill(store, [message(1), message(2)])
      await inRoom(store, async tx => {
        await tx.append(message(3))
        await tx.append(message(4))
        await tx.prune(ANY.now, ANY.instant, 1)
        expect(await tx.messages(0, 10)).toEqual([message(4)])
        await tx.append(message(5))
        expect([await tx.count(), await tx.oldestSeq()]).toEqual([2, 4])
      })
      expect(await seqsIn(store)).toEqual([4, 5])
    },
  },
]
