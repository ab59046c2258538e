import { describe, expect, test, vi } from 'vitest'
import { ControlClient } from '../../../servers/understudy/control-client.js'
import { createSafebot, type SafebotAlone } from '../../../servers/understudy/index.js'
import { rpc, send } from '../../support/clients/raw-http.js'
import { useStores } from '../../support/databases/store.js'
import { PATIENT } from '../../support/run/run-options.js'
import { replica } from '../../support/servers/store-replica.js'
import { until } from '../../support/until.js'
import { layWire } from '../../support/wire.js'

const stores = useStores()

async function two(url = stores.freshUrl()): Promise<[SafebotAlone, SafebotAlone]> {
  return [await replica(url), await replica(url)]
}

const controlOf = (of: SafebotAlone) => new ControlClient(of.control.url)

/** One call that a server's journal notes. */
async function callTool(of: SafebotAlone, name = 'create_room', args: unknown = {}): Promise<void> {
  await send(of.mcpUrl, { body: rpc('tools/call', { name, arguments: args }) })
}

describe('the journal of a store', () => {
  test('is returned by GET /journal on every replica in the order of arrival', async () => {
    const [a, b] = await two()
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    await send(a.mcpUrl, {
      body: rpc('tools/call', { name: 'create_room', arguments: { label: 'one \u0000 \ud800' } }),
      headers: { traceparent, authorization: 'Bearer s3cret', 'x-safebot-handle': 'worker' },
    })
    await callTool(b)
    const [here, there] = [await controlOf(a).journal.page(), await controlOf(b).journal.page()]
    const withoutSeq = ({ entries }: typeof here) =>
      entries.map(({ seq, ...entry }) => entry).toSorted((a, b) => a.instance.localeCompare(b.instance))
    expect(withoutSeq(there)).toEqual(withoutSeq(here))
    expect(new Set(here.entries.map(({ instance }) => instance))).toEqual(
      new Set([a.instance.name, b.instance.name]),
    )
    expect(JSON.stringify(there)).not.toContain('s3cret')
    const [traced] = b.journal.entries({ trace: '0af7651916cd43dd8448eb211c80319c' })
    expect(traced).toMatchObject({ caller: 'worker', outcome: 'tool_error', instance: a.instance.name })
  })

  test('can be filtered by instance', async () => {
    const [a, b] = await two()
    await callTool(a)
    await callTool(b)
    const { entries } = await controlOf(a).journal.page({ instance: b.instance.name })
    expect(entries.map(({ instance, tool }) => [instance, tool])).toEqual([[b.instance.name, 'create_room']])
  })

  test('has pages that continue by their own seq, with each entry once, from either replica', async () => {
    const [a, b] = await two()
    const labels = ['one', 'two', 'three', 'four', 'five']
    for (const [nth, label] of labels.entries())
      await callTool(nth % 2 === 0 ? a : b, 'create_room', { label })
    const seen: unknown[] = []
    let after = 0
    for (;;) {
      const { entries, next } = await controlOf(b).journal.page({ after, limit: 2 })
      if (entries.length === 0) break
      seen.push(...entries.map(entry => Object(entry.arguments).label))
      after = next
    }
    expect(seen.toSorted()).toEqual(labels.toSorted())
  })

  test('gives a waiter on one replica the entries of the other', async () => {
    const [a, b] = await two()
    const awaited = b.journal.waitFor({ tool: 'create_room', outcome: 'ok' }, PATIENT)
    await callTool(a)
    expect((await awaited)[0]).toMatchObject({ instance: a.instance.name })
  })

  test('gives a reader of the stream on one replica the entries of the other', async () => {
    const [a, b] = await two()
    const stream = controlOf(b).journal.stream({ after: 0 })[Symbol.asyncIterator]()
    const first = stream.next()
    await callTool(a)
    expect((await first).value).toMatchObject({ type: 'ended', entry: { instance: a.instance.name } })
    await stream.return?.(undefined)
  })

  test('proves for all replicas that nothing arrived', async () => {
    const [a, b] = await two()
    await controlOf(b).journal.expectNothing({ tool: 'create_room' })
    await callTool(a)
    await expect(controlOf(b).journal.expectNothing({ tool: 'create_room' })).rejects.toMatchObject({
      code: 'journal_unexpected',
    })
  })

  test('is brought up to date first, in process', async () => {
    const [a, b] = await two()
    await callTool(a)
    expect(await b.journal.refresh()).toBe(true)
    expect(() => b.journal.expectNothing({ tool: 'create_room' })).toThrow('was not expected')
  })

  test('is kept when its replicas end', async () => {
    const url = stores.freshUrl()
    const first = await createSafebot({ store: url, world: 'empty' })
    await callTool(first)
    await first.close()
    const again = await replica(url)
    expect(again.journal.entries().map(({ tool, instance }) => [tool, instance])).toEqual([
      ['create_room', first.instance.name],
    ])
  })

  test('is cleared for all replicas by a clear on one, also for a replica that starts later', async () => {
    const url = stores.freshUrl()
    const [a, b] = await two(url)
    await callTool(a)
    await callTool(b)
    await controlOf(b).journal.clear()
    expect([a.journal.size, b.journal.size]).toEqual([0, 0])
    await callTool(a)
    expect((await controlOf(b).journal.page()).entries).toHaveLength(1)
    expect((await replica(url)).journal.size).toBe(1)
  })

  test('ignores entries of another replica that it reads during a clear', async () => {
    const [a, b] = await two()
    const { store } = a.instance
    if (store === undefined) throw new Error('there is no store')
    const read = store.read.bind(store)
    let clearing: Promise<void> | undefined
    const reading = vi.spyOn(store, 'read').mockImplementation(async (...asked) => {
      const rows = await read(...asked)
      if (JSON.stringify(rows).includes(b.instance.name)) clearing ??= a.journal.clear()
      return rows
    })
    await callTool(b)
    await a.journal.refresh()
    expect(clearing).toBeDefined()
    await clearing
    reading.mockRestore()
    expect(a.journal.entries()).toEqual([])
  })

  test('cannot prove the absence of entries that another replica has lost', async () => {
    const url = stores.freshUrl()
    const a = await replica(url)
    await stores.run(`INSERT INTO ${stores.schemaOf(url)}.journal (replica, lost) VALUES (99, 3)`)
    await expect(controlOf(a).journal.expectNothing()).rejects.toMatchObject({ code: 'journal_incomplete' })
    expect(await controlOf(a).journal.page()).toMatchObject({ entries: [], dropped: 3 })
  })

  test('is read back with the latest 10,000 entries, and counts the older ones', async () => {
    const url = stores.freshUrl()
    const a = await replica(url)
    await callTool(a)
    await a.close()
    await stores.run(
      `INSERT INTO ${stores.schemaOf(url)}.journal (replica, seq, entry)
       SELECT replica, seq + nth, entry FROM ${stores.schemaOf(url)}.journal, generate_series(1, 10004) AS nth`,
    )
    const b = await replica(url)
    expect([b.journal.size, b.journal.dropped]).toEqual([10_000, 5])
    expect(() => b.journal.expectNothing({ tool: 'ack_task' })).toThrow('no longer kept')
  })

  test('is cleared for all by a reset', async () => {
    const [a, b] = await two()
    await callTool(a)
    await callTool(b)
    await a.reset()
    expect([
      (await controlOf(a).journal.page()).entries,
      (await controlOf(b).journal.page()).entries,
    ]).toEqual([[], []])
  })

  test('does not include a journal that is off', async () => {
    const url = stores.freshUrl()
    const [a, b] = [await replica(url), await replica(url, { journal: false })]
    await callTool(a)
    await callTool(b)
    expect((await controlOf(a).journal.page()).entries).toHaveLength(1)
    expect(b.journal.size).toBe(0)
  })
})

describe('while the store is away', () => {
  test('calls are recorded and answered; the other replicas get the entries when it is back', async () => {
    const url = stores.freshUrl()
    const wire = await layWire(url)
    const [a, b] = [await replica(wire.url), await replica(url)]
    await wire.cut()
    await callTool(a)
    const { entries } = await controlOf(a).journal.page()
    expect(entries.map(({ tool, outcome }) => [tool, outcome])).toEqual([['create_room', 'ok']])
    expect(b.journal.size).toBe(0)
    await wire.mend()
    await until(() => b.journal.size === 1)
  })

  test('nothing is proved for the other replicas, and their journal is not cleared', async () => {
    const wire = await layWire(stores.freshUrl())
    const a = await replica(wire.url)
    await wire.cut()
    await expect(controlOf(a).journal.expectNothing()).rejects.toMatchObject({
      status: 409,
      code: 'journal_incomplete',
    })
    await expect(controlOf(a).journal.clear()).rejects.toMatchObject({
      status: 503,
      code: 'store_unavailable',
    })
  })
})
