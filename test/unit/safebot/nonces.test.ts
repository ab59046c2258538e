import { expect, it } from 'vitest'
import { type NonceKind, REMEMBERED_MS } from '../../../servers/safebot/domain/nonces.js'
import { SafebotStore } from '../../../servers/safebot/domain/store.js'
import { MemoryRecords } from '../../../shared/records/memory-records.js'

const NOW = Date.parse('2026-01-01T00:00:00Z')
const HOUR = 60 * 60_000

/** A store, and a function that uses a nonce of bob's in it. Returns whether it may be used. */
function nonces(capacity = Number.POSITIVE_INFINITY) {
  const store = new SafebotStore(new MemoryRecords())
  const use = (
    nonce: string,
    at: number,
    { owner = 'bob', freshUntil = at, machineNow = at, kind = 'requests' as NonceKind } = {},
  ) => store.useNonce(kind, { owner, nonce, at, freshUntil }, capacity, machineNow)
  return { store, use }
}

it('accepts a nonce once from many concurrent callers', async () => {
  const { use } = nonces()
  const used = await Promise.all(Array.from({ length: 5 }, () => use('n', NOW)))
  expect(used.filter(Boolean)).toHaveLength(1)
})

it('separates the nonces of owners and of kinds', async () => {
  const { use } = nonces()
  expect(await use('n', NOW)).toBe(true)
  expect(await use('n', NOW, { owner: 'carol' })).toBe(true)
  expect(await use('n', NOW, { kind: 'messages' })).toBe(true)
})

it('refuses a nonce for 120 s after its use', async () => {
  const { use } = nonces()
  expect(await use('n', NOW)).toBe(true)
  expect(await use('n', NOW + REMEMBERED_MS - 1)).toBe(false)
  expect(await use('n', NOW + REMEMBERED_MS)).toBe(true)
  expect(await use('n', NOW + REMEMBERED_MS)).toBe(false)
})

it('refuses a nonce until both clocks have passed the time for which its signature is fresh', async () => {
  const { use } = nonces()
  const freshUntil = NOW + 10 * REMEMBERED_MS
  const at = (now: number, machineNow: number) => use('n', now, { freshUntil, machineNow })
  expect(await at(NOW, freshUntil)).toBe(true)
  expect(await at(NOW + REMEMBERED_MS, freshUntil + 1)).toBe(false)
  expect(await at(freshUntil, freshUntil + 1)).toBe(false)
  expect(await at(freshUntil + 1, freshUntil)).toBe(false)
  expect(await at(freshUntil + 1, freshUntil + 1)).toBe(true)
})

it('counts only the nonces of the last 120 s, although it remembers others', async () => {
  const { use } = nonces(2)
  const far = { freshUntil: NOW + HOUR, machineNow: NOW + 2 * HOUR }
  expect([await use('a', NOW, far), await use('b', NOW, far), await use('c', NOW, far)]).toEqual([
    true,
    true,
    false,
  ])
  const later = NOW + REMEMBERED_MS
  expect([await use('c', later, far), await use('a', later, far), await use('d', later, far)]).toEqual([
    true,
    false,
    true,
  ])
  expect(await use('e', later, far)).toBe(false)
})

it('forgets the nonces of an idle handle when they cannot be used again', async () => {
  const { store, use } = nonces()
  await store.addIdentity({ handle: 'bob', boxPub: '', signPub: '', registeredAt: NOW, meta: {} })
  await use('n', NOW, { freshUntil: NOW + HOUR })
  const kept = async () => JSON.stringify(await store.dump()).includes('"n"')
  await use('x', NOW + REMEMBERED_MS, { owner: 'carol' })
  expect(await kept()).toBe(true)
  await use('x', NOW + 2 * HOUR, { owner: 'carol' })
  // The sweep runs beside the call that has started it.
  await store.usage()
  expect(await kept()).toBe(false)
})
