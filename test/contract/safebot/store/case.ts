import { Consumer } from '../../../../servers/safebot/domain/consumer.js'
import type { Room, StoredMessage } from '../../../../servers/safebot/domain/model.js'
import type { RoomTransaction, SafebotStore, SafebotTables } from '../../../../servers/safebot/store/store.js'

/** Something that any store of Safebot's does. */
export interface StoreCase {
  it: string
  /** @param store one that holds nothing */
  shows(store: SafebotStore): Promise<void>
}

export const ROOM = 'room-1'
export const NOW = Date.parse('2026-01-01T00:00:00Z')
export const HOUR = 60 * 60_000

/** Bounds that nothing reaches. */
export const ANY = { now: NOW, instant: 0, keep: 1_000_000 }

export function room(id = ROOM, more: Partial<Room> = {}): Room {
  return { id, createdAt: NOW, activeAt: NOW, lastSeq: 0, signedOnly: false, ...more }
}

export function message(seq: number, more: Partial<StoredMessage> = {}): StoredMessage {
  return {
    ...{ seq, id: `id-${seq}`, sender: 'alice', senderVerified: false },
    ...{ ciphertext: 'c'.repeat(40), nonce: 'n'.repeat(32), ts: NOW + seq },
    ...more,
  }
}

export function consumer(handle: string, roomId = ROOM, cursor = 0): Consumer {
  return new Consumer({ handle, roomId, cursor })
}

/** Does something alone in {@link ROOM}. */
export function inRoom<T>(store: SafebotStore, work: (tx: RoomTransaction) => Promise<T>): Promise<T> {
  return store.transaction(ROOM, work)
}

/** Opens a room with messages in it. */
export function fill(store: SafebotStore, messages: readonly StoredMessage[], id = ROOM): Promise<void> {
  return store.transaction(id, async tx => {
    await tx.saveRoom(room(id, { lastSeq: messages.at(-1)?.seq ?? 0 }))
    for (const each of messages) await tx.append(each)
  })
}

/** The seqs that a room's buffer holds. */
export async function seqsIn(store: SafebotStore): Promise<number[]> {
  const messages = await inRoom(store, tx => tx.messages(0, 1000))
  return messages.map(({ seq }) => seq)
}

/** All that a store may hold, and one of each at least. */
export const TABLES: SafebotTables = {
  rooms: [
    {
      room: room(ROOM, { lastSeq: 2, activeAt: NOW + 5 }),
      messages: [
        message(1, { replyTo: 'id-of-another', ttlMs: 30_000.5 }),
        message(2, { senderVerified: true }),
      ],
    },
    { room: room('room-2', { createdAt: NOW + 1, signedOnly: true }), messages: [] },
  ],
  consumers: [
    { ...consumer('bob', 'room-2', 7) },
    { ...consumer('bob').named(['Bob "the" builder', '\ud800 \u0000']).take(1, 'claim-1', NOW, 60_000.5) },
  ],
  identities: [
    {
      handle: 'bob',
      boxPub: 'box',
      signPub: 'sign',
      registeredAt: NOW,
      meta: { bio: 'a\u0000b \udfff "\\' },
    },
    { handle: 'carol', boxPub: 'box', signPub: 'sign', registeredAt: NOW + 1, meta: {} },
  ],
  nonces: {
    requests: [{ owner: 'bob', nonce: 'n-1', at: NOW, freshUntil: NOW + 60_000 }],
    messages: [{ owner: 'bob', nonce: 'n-1', at: NOW + 1, freshUntil: NOW + 60_001 }],
    registrations: [],
  },
  holdings: { held: [[ROOM, NOW]], released: [['room-2', NOW + 2]] },
}
