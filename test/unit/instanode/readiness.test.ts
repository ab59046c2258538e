import { expect, it } from 'vitest'
import { Readiness } from '../../../servers/instanode/domain/local-service.js'
import { InstanodeStore } from '../../../servers/instanode/domain/store.js'
import { Clock } from '../../../shared/clock/clock.js'
import { MemoryRecords } from '../../../shared/records/memory-records.js'
import { silentLog } from '../../../shared/util/log.js'
import { RecordingDatabases } from '../../support/databases/recording-databases.js'

const OK = { customer_db: 'ok', platform_db: 'ok', redis: 'ok' }

function start() {
  const machine = new Clock({ mode: 'manual' })
  const [store, databases] = [new InstanodeStore(new MemoryRecords()), new RecordingDatabases()]
  const readiness = new Readiness({ store, databases, machine, log: silentLog })
  return { machine, store, databases, readiness }
}

it('all parts that answer are ok, and leave no pending timer', async () => {
  const { readiness, machine } = start()
  expect(await readiness.check()).toEqual(OK)
  expect(machine.pending).toBe(0)
})

// fidelity instanode/http, differs: A failed check is `ping_failed` or `open_failed`. Here: It is always
// `ping_failed`, because a check opens nothing.
it('each failed part is named', async () => {
  const { readiness, store, databases } = start()
  databases.failing.ready = new Error('down')
  expect(await readiness.check()).toEqual({ ...OK, customer_db: 'ping_failed' })
  store.find = () => Promise.reject(new Error('down'))
  expect(await readiness.check()).toEqual({ ...OK, platform_db: 'ping_failed' })
  store.deliveries = () => Promise.reject(new Error('down'))
  expect(await readiness.check()).toEqual({ ...OK, platform_db: 'ping_failed', redis: 'ping_failed' })
})

// fidelity instanode/http, same: A check that hangs fails after half a second.
it('a part that hangs fails after half a second', async () => {
  const { readiness, databases, machine } = start()
  databases.ready = () => new Promise(() => {})
  const checking = readiness.check()
  await machine.whenPending(1)
  await machine.advance(500)
  expect(await checking).toEqual({ ...OK, customer_db: 'ping_failed' })
})
