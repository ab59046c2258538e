import { describe, expect, test } from 'vitest'
import { createSafebot, type SafebotAlone } from '../../../servers/understudy/index.js'
import { MANUAL_START } from '../../../shared/clock/clock.js'
import { silentLog } from '../../../shared/util/log.js'
import { useStores } from '../../support/databases/store.js'
import { replica } from '../../support/servers/store-replica.js'
import { call, ok } from '../../support/servers/understudy.js'
import { until } from '../../support/until.js'
import { layWire } from '../../support/wire.js'

const stores = useStores()

/** Replicas measure the difference of their times over the network: on a slow machine that may be wrong by seconds. */
const HOUR = 3_600_000

/** Two replicas on a manual clock. */
async function two(url = stores.freshUrl()): Promise<[SafebotAlone, SafebotAlone]> {
  return [await replica(url, { clock: 'manual' }), await replica(url)]
}

describe('one clock for all replicas of a store', () => {
  // fidelity replicas, same: A waiting call at one replica ends when the clock advances at another.
  test('is advanced by one replica for the other, and has answered the waiting calls there', async () => {
    const [a, b] = await two()
    const waiting = await b.connect({ handle: 'worker' })
    const { url } = await ok(waiting, 'create_room')
    const asleep = b.clock.pending
    let answered = false
    const answer = call(waiting, 'claim_task', { url, timeout_seconds: 30 }).finally(() => {
      answered = true
    })
    await b.clock.whenPending(asleep + 1)
    expect(await a.clock.advance(30_001)).toBe(MANUAL_START + 30_001)
    expect(answered).toBe(true)
    expect((await answer).structuredContent).toMatchObject({ task: null })
    expect([a.clock.now(), b.clock.now()]).toEqual([MANUAL_START + 30_001, MANUAL_START + 30_001])
  })

  // fidelity replicas, same: Wake-ups run in their order at each replica.
  test('runs the wake-ups of another replica in order, each at its own instant', async () => {
    const [a, b] = await two()
    const seen: number[] = []
    for (const at of [300, 100, 200]) {
      b.clock.wakeAt(MANUAL_START + at, () => void seen.push(b.clock.now() - MANUAL_START))
    }
    await a.clock.advance(250)
    expect(seen).toEqual([100, 200])
    await b.clock.advance(50)
    expect([seen, a.clock.now()]).toEqual([[100, 200, 300], MANUAL_START + 300])
  })

  // fidelity replicas, same: Concurrent advances at two replicas add up.
  test('adds up concurrent advances at two replicas', async () => {
    const [a, b] = await two()
    await Promise.all([a, b, b, a, b].map(({ clock }, nth) => clock.advance(10 ** nth)))
    expect([a.clock.now(), b.clock.now()]).toEqual([MANUAL_START + 11_111, MANUAL_START + 11_111])
  })

  test('has one mode and one time for all, also if it goes back', async () => {
    const [a, b] = await two()
    await b.clock.set({ mode: 'real', now: '2027-01-01T00:00:00Z' })
    expect([a.clock.mode, b.clock.mode]).toEqual(['real', 'real'])
    const before = a.clock.now()
    expect(before - Date.parse('2027-01-01T00:00:00Z')).toBeGreaterThanOrEqual(0)
    expect(Math.abs(b.clock.now() - before)).toBeLessThan(HOUR)
    await a.clock.set({ mode: 'manual', now: '2026-05-05T00:00:00Z' })
    expect(b.clock.snapshot()).toEqual({ mode: 'manual', now: Date.parse('2026-05-05T00:00:00Z') })
  })

  // fidelity replicas, same: A real clock ticks at all replicas, and an advance moves all of them.
  test('ticks at every replica as a real clock, and advances at all', async () => {
    const url = stores.freshUrl()
    const [a, b] = [await replica(url), await replica(url)]
    const start = b.clock.now()
    let rung = false
    b.clock.wakeAt(start + HOUR, () => {
      rung = true
    })
    await a.clock.advance(HOUR)
    expect(rung).toBe(true)
    expect(b.clock.now() - start).toBeGreaterThanOrEqual(HOUR)
    await until(() => b.clock.now() > start + HOUR + 5)
    expect(Math.abs(a.clock.now() - b.clock.now())).toBeLessThan(HOUR)
  })

  test('refuses an invalid value, and does not move at any replica', async () => {
    const [a, b] = await two()
    await expect(b.clock.advance(-1)).rejects.toMatchObject({ code: 'bad_advance' })
    await expect(b.clock.advance(Number.MAX_SAFE_INTEGER)).rejects.toMatchObject({ code: 'bad_advance' })
    await expect(b.clock.set({ mode: 'real', now: 0 })).rejects.toMatchObject({ code: 'clock_backwards' })
    expect([a.clock.now(), b.clock.now()]).toEqual([MANUAL_START, MANUAL_START])
  })

  test("goes back to the store's beginning by a reset, and to a snapshot by a restore, for all replicas", async () => {
    const url = stores.freshUrl()
    const a = await replica(url, { clock: 'manual@2026-03-01T00:00:00Z' })
    await a.clock.advance(1000)
    const b = await replica(url)
    const snapshot = await a.snapshot()
    await b.clock.advance(500)
    await b.reset()
    expect([a, b].map(({ clock }) => clock.now())).toEqual(Array(2).fill(Date.parse('2026-03-01T00:00:00Z')))
    await a.restore(snapshot)
    expect([a, b].map(({ clock }) => clock.now())).toEqual(Array(2).fill(Date.parse('2026-03-01T00:00:01Z')))
  })
})

describe('a replica that joins', () => {
  test('takes over the current time', async () => {
    const url = stores.freshUrl()
    const a = await replica(url, { clock: 'manual' })
    await a.clock.advance(5000)
    expect((await replica(url)).clock.snapshot()).toEqual({ mode: 'manual', now: MANUAL_START + 5000 })
    expect((await replica(url, { clock: 'manual@2030-01-01T00:00:00Z' })).clock.now()).toBe(
      MANUAL_START + 5000,
    )
  })

  test('is refused if it requests another mode, and leaves nothing behind', async () => {
    const url = stores.freshUrl()
    const a = await replica(url, { clock: 'manual' })
    const connections = () =>
      stores.run('SELECT FROM pg_stat_activity WHERE application_name = $1', [stores.schemaOf(url)])
    const before = (await connections()).length
    await expect(createSafebot({ store: url, clock: 'real' })).rejects.toMatchObject({
      code: 'other_clock',
      message: expect.stringContaining('is manual'),
    })
    await until(async () => (await connections()).length <= before)
    await a.clock.advance(1)
  })

  test('continues a manual clock where it stood, and a real clock with its lead, after all replicas were away', async () => {
    const manual = stores.freshUrl()
    const first = await createSafebot({ store: manual, clock: 'manual' })
    await first.clock.advance(7000)
    await first.close()
    expect((await replica(manual)).clock.now()).toBe(MANUAL_START + 7000)

    const real = stores.freshUrl()
    const other = await createSafebot({ store: real })
    const ahead = 48 * HOUR
    const before = other.clock.now() - other.instance.machine.now()
    await other.clock.advance(ahead)
    await other.close()
    const again = await replica(real)
    expect(again.clock.now() - again.instance.machine.now() - before - ahead).toBeLessThan(HOUR)
  })
})

describe('a failure of a replica or of the store', () => {
  test('a replica that has ended delays no other', async () => {
    const [a, b] = await two()
    await b.close()
    await a.clock.advance(1000)
    expect(a.clock.now()).toBe(MANUAL_START + 1000)
  })

  test('a replica that hangs delays the others for seconds only, and the log names it', async () => {
    const url = stores.freshUrl()
    const warnings: string[] = []
    const log = { warn: (message: string) => void warnings.push(message), error: () => undefined }
    const a = await replica(url, { clock: 'manual', log })
    const b = await replica(url)
    let release = () => {}
    b.clock.wakeAt(
      MANUAL_START + 10,
      () =>
        new Promise<void>(resolve => {
          release = resolve
        }),
    )
    await a.clock.advance(1000)
    expect(warnings).toEqual([expect.stringContaining(`${b.instance.name} did not follow`)])
    release()
    await until(() => b.clock.now() === MANUAL_START + 1000)
  })

  test('a replica that hangs in its own advance delays the others no longer than that', async () => {
    const url = stores.freshUrl()
    const a = await replica(url, { clock: 'manual', log: silentLog })
    const b = await replica(url)
    let release = () => {}
    const stuck = new Promise<void>(resolve => {
      release = resolve
    })
    a.clock.wakeAt(MANUAL_START + 10, () => stuck)
    const hanging = a.clock.advance(1000)
    await until(() => b.clock.now() === MANUAL_START + 1000)
    const moving = b.clock.advance(1000)
    await until(() => b.clock.now() === MANUAL_START + 2000)
    release()
    expect([await hanging, await moving]).toEqual([MANUAL_START + 1000, MANUAL_START + 2000])
    await until(() => a.clock.now() === MANUAL_START + 2000)
  })

  // fidelity replicas, same: Without the store an advance is refused. It works again after the store is back.
  test('while the store is away an advance is refused, and works again later', async () => {
    const wire = await layWire(stores.freshUrl())
    const a = await replica(wire.url)
    await wire.cut()
    await expect(a.clock.advance(1000)).rejects.toMatchObject({ code: 'store_unavailable' })
    const now = a.clock.now()
    await until(() => a.clock.now() > now)
    await wire.mend()
    await a.clock.advance(HOUR)
    expect(a.clock.now() - now).toBeGreaterThanOrEqual(HOUR)
  })

  test('a replica that was cut off follows the clock when it is back', async () => {
    const url = stores.freshUrl()
    const wire = await layWire(url)
    const a = await replica(url, { clock: 'manual' })
    const b = await replica(wire.url)
    await wire.cut()
    const seen: number[] = []
    b.clock.wakeAt(MANUAL_START + 500, () => void seen.push(b.clock.now() - MANUAL_START))
    await a.clock.advance(1000)
    await wire.mend()
    await until(() => b.clock.now() === MANUAL_START + 1000)
    expect(seen).toEqual([500])
  })

  test('every connection is cut, and the next movement reaches all replicas again', async () => {
    const url = stores.freshUrl()
    const [a, b] = await two(url)
    await stores.cut(url)
    await until(async () => {
      await a.clock.advance(1000).catch(() => undefined)
      return a.clock.now() > MANUAL_START
    })
    await until(() => b.clock.now() === a.clock.now())
  })
})
