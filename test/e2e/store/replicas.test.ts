import { expect, onTestFinished, test } from 'vitest'
import { ControlClient } from '../../../servers/understudy/control-client.js'
import { createUnderstudy, type Understudy } from '../../../servers/understudy/index.js'
import { Command } from '../../support/clients/command.js'
import { rpc, send } from '../../support/clients/raw-http.js'
import { RecordingDatabases } from '../../support/databases/recording-databases.js'
import { useStores } from '../../support/databases/store.js'
import { until } from '../../support/until.js'
import { layWire } from '../../support/wire.js'

const stores = useStores()

async function replica(store: string): Promise<{ u: Understudy; control: ControlClient }> {
  const u = await createUnderstudy({ store, databases: new RecordingDatabases() })
  onTestFinished(() => u.close())
  return { u, control: new ControlClient(u.control.url) }
}

const readiness = ({ u }: { u: Understudy }) => send(`${u.control.url}/readyz`, { method: 'GET' })

test('GET /replicas lists the running replicas, and marks the one that answers', async () => {
  const url = stores.freshUrl()
  const [a, b] = [await replica(url), await replica(url)]
  const listed = await b.control.replicas()
  expect(listed).toEqual({
    store: expect.stringMatching(/^[^@]+$/),
    replicas: [
      {
        number: 1,
        instance: a.u.instance.name,
        startedAt: expect.stringMatching(/^\d{4}-.*Z$/),
        self: false,
      },
      { number: 2, instance: b.u.instance.name, startedAt: expect.any(String), self: true },
    ],
  })
  await a.u.close()
  await until(async () => (await b.control.replicas()).replicas.length === 1)
})

test('without a store GET /replicas lists no replica', async () => {
  const { control } = await replica('memory')
  expect(await control.replicas()).toEqual({ store: null, replicas: [] })
})

// fidelity replicas, same: `/readyz` and `/metrics` say whether the database is there.
test('/readyz and /metrics show whether the store is available', async () => {
  const wire = await layWire(stores.freshUrl())
  const a = await replica(wire.url)
  expect((await readiness(a)).json).toMatchObject({
    ready: true,
    checks: { store: { postgres: 'ok', notices: 'ok' } },
  })
  expect(await a.control.metrics()).toMatch(
    /^understudy_store_available 1\n(.*\n)*understudy_store_replicas 1$/m,
  )

  await wire.cut()
  await until(() => a.u.instance.store?.notices.available === false)
  const down = await readiness(a)
  expect([down.status, down.json]).toEqual([
    503,
    {
      ready: false,
      checks: expect.objectContaining({
        store: { postgres: expect.stringContaining('cannot be reached'), notices: expect.any(String) },
      }),
      error: {
        code: 'not_ready',
        message: expect.stringContaining('store postgres: '),
        hint: expect.any(String),
      },
    },
  ])
  expect(await a.control.metrics()).toMatch(/^understudy_store_available 0$/m)
  await expect(a.control.replicas()).rejects.toMatchObject({ status: 503, code: 'store_unavailable' })

  await wire.mend()
  await until(async () => (await readiness(a)).status === 200)
})

test('a request that a crash interrupts is in the journal of the other replicas', async () => {
  const url = stores.freshUrl()
  const b = await replica(url)
  const args = ['up', '--store', url, '--json', '--world', 'empty']
  const command = new Command(args, { UNDERSTUDY_SAFEBOT_PORT: '0' })
  const { control, safebot } = JSON.parse((await command.lines(1))[0] ?? '')
  await new ControlClient(control.url).faults.set([
    { server: 'safebot', tool: 'ack_task', when: { nth: 1 }, do: { crash: true } },
  ])
  for (const name of ['create_room', 'ack_task']) {
    const body = rpc('tools/call', { name, arguments: {} })
    await send(safebot.mcp, { body }).catch(() => undefined)
  }
  expect((await command.exit).code).toBe(70)
  const { entries } = await b.control.journal.page()
  expect(entries.map(({ tool, outcome }) => [tool, outcome])).toEqual([
    ['create_room', 'ok'],
    ['ack_task', 'fault'],
  ])
})
