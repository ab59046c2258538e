import { expect, it, onTestFinished } from 'vitest'
import { contractOf } from '../../../servers/instanode/contract.js'
import { LocalService } from '../../../servers/instanode/domain/local-service.js'
import { InstanodeStore } from '../../../servers/instanode/domain/store.js'
import { createRest } from '../../../servers/instanode/http/index.js'
import { createInstance } from '../../../servers/understudy/instance.js'
import { Listener } from '../../../shared/http/listener.js'
import { send } from '../../support/clients/raw-http.js'
import { RecordingDatabases } from '../../support/databases/recording-databases.js'
import { PAID } from '../../support/servers/instanode.js'

/** The HTTP API on a store that can be made to fail, as one in a database may. */
async function start() {
  const instance = await createInstance({ clock: 'manual' })
  const databases = new RecordingDatabases()
  const contract = contractOf('documented')
  const receiveUrl = (token: string) => `http://localhost/webhook/receive/${token}`
  const { clock, machine, ids, log } = instance
  const local = new LocalService({
    store: new InstanodeStore(instance.records),
    databases,
    clock,
    machine,
    ids: ids.stream('instanode'),
    contract,
    log,
    receiveUrl,
  })
  await local.accounts.save({ id: 'acct_paid', userId: 'somebody', plan: 'paid', fixedToken: PAID })
  const listener = await Listener.open({
    host: '127.0.0.1',
    port: 0,
    name: 'instanode',
    handlers: async url => ({
      api: async () =>
        createRest({
          instance,
          local,
          service: local,
          contract,
          requestLimit: undefined,
          requests: undefined,
          url,
        }),
    }),
  })
  onTestFinished(async () => {
    await local.reaper.stop()
    await listener.close()
    await instance.close()
  })
  const api = (path: string, method = 'POST', body?: unknown) =>
    send(`${listener.url}${path}`, { method, headers: { authorization: `Bearer ${PAID}` }, body })
  return { api, databases, store: local.store }
}

const down = () => Promise.reject(new Error('relation "secret" at /home/alice'))

// fidelity instanode/http, same: A database whose row cannot be stored is dropped again, with 503
// `internal_error`.
it('a database whose row cannot be stored is dropped again, with 503 internal_error', async () => {
  const { api, databases, store } = await start()
  store.insert = down
  const { status, json, body } = await api('/db/new', 'POST', { name: 'x' })
  expect([status, json]).toEqual([503, expect.objectContaining({ error: 'internal_error', ok: false })])
  expect(body).not.toContain('secret')
  expect([databases.live.size, databases.dropped.length]).toEqual([0, 1])
})

// fidelity instanode/http, same: A receiver that cannot be looked up gets 503 `lookup_failed`.
it('a receiver that cannot be looked up gets 503 lookup_failed', async () => {
  const { api, store } = await start()
  store.receiver = down
  for (const method of ['POST', 'GET']) {
    const { status, json } = await api('/webhook/receive/00000000-0000-4000-8000-000000000000', method)
    expect([status, json]).toEqual([503, { error: 'lookup_failed', ok: false }])
  }
})

// fidelity instanode/http, differs: A panic gets 500 `internal_server_error`. Here: An unforeseen failure
// gets 500 `internal_error`, because the stand-in has no panics.
it('a list that cannot be read gets 500 internal_error without the cause', async () => {
  const { api, store } = await start()
  store.ownedBy = down
  const { status, json, body } = await api('/api/me/resources', 'GET')
  expect([status, json]).toEqual([500, expect.objectContaining({ error: 'internal_error', ok: false })])
  expect(body).not.toContain('secret')
})

// fidelity instanode/http, same: `/readyz` names the store that is down.
it('/readyz names the store that is down', async () => {
  const { api, store } = await start()
  store.find = down
  const { status, json } = await api('/readyz', 'GET')
  expect([status, json]).toMatchObject([503, { error: 'platform_db_ping_failed', ok: false }])
})
