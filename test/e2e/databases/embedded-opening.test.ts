import { mkdtempSync, readdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import {
  DEFAULT_MEMORY_LIMIT,
  DEFAULT_TIMES,
  EmbeddedDatabases,
} from '../../../servers/instanode/databases/embedded/embedded-databases.js'
import { Engine } from '../../../servers/instanode/databases/embedded/engine/engine.js'
import { TEMPLATE_FILE } from '../../../servers/instanode/databases/embedded/engine/template.js'
import { Session } from '../../../servers/instanode/databases/embedded/session/session.js'
import { PgServer } from '../../../servers/instanode/databases/embedded/wire/pg-server.js'
import { makeVerifier } from '../../../servers/instanode/databases/provider.js'
import { Clock } from '../../../shared/clock/clock.js'
import { IdSource } from '../../../shared/ids.js'
import { codeOf, freshSpec, TestClient } from '../../support/databases/databases.js'

const ids = new IdSource()

/** A thread on a busy machine may take seconds. */
const eventually = <T>(value: () => T) => expect.poll(value, { timeout: 20_000 })

/** An engine that opens when the test says so: a machine that is busy. */
class SlowOpening {
  readonly begun: Promise<AbortSignal>
  readonly release: () => void
  readonly open: (signal: AbortSignal) => Promise<Engine>

  constructor(directory: string) {
    let begin: (signal: AbortSignal) => void = () => {}
    let release = () => {}
    this.begun = new Promise(resolve => {
      begin = resolve
    })
    const released = new Promise<void>(resolve => {
      release = resolve
    })
    this.release = release
    this.open = async signal => {
      begin(signal)
      const aborted = new Promise<void>(resolve =>
        signal.addEventListener('abort', () => resolve(), { once: true }),
      )
      await Promise.race([released, aborted])
      const start = { directory, database: 'postgres', template: TEMPLATE_FILE, statementTimeoutMs: 0 }
      return await Engine.open(start, signal)
    }
  }
}

describe('the opening of an embedded database', () => {
  const cleanUp: (() => unknown)[] = []
  afterEach(async () => {
    for (const clean of cleanUp.splice(0).reverse()) await clean()
  })

  async function sleeping() {
    const machine = new Clock({ mode: 'manual' })
    const root = mkdtempSync(join(tmpdir(), 'understudy-test-'))
    cleanUp.push(() => rm(root, { recursive: true, force: true }))
    const opening = new SlowOpening(join(root, 'data'))
    // The template's only role, so that no other has to be made.
    const user = 'postgres'
    const session = new Session({
      machine,
      times: DEFAULT_TIMES,
      user,
      memoryLimit: DEFAULT_MEMORY_LIMIT,
      open: opening.open,
    })
    cleanUp.push(() => session.close({ code: '57P01', message: 'the test is over' }))
    const verifier = await makeVerifier('secret', ids.bytes(16))
    const gateway = new PgServer({
      machine,
      ids,
      host: '127.0.0.1',
      statementTimeoutMs: 0,
      databases: {
        verifier: () => verifier,
        database: () => ({ user, connections: 2, blocked: false, session }),
      },
    })
    const port = await gateway.listen(0)
    cleanUp.push(() => gateway.close())
    const client = () => new TestClient(`postgres://${user}:secret@127.0.0.1:${port}/postgres`)
    return { machine, opening, session, client }
  }

  it('does not disconnect a client that waits longer than the time limit of a handshake', async () => {
    const { machine, opening, client } = await sleeping()
    const waiting = client()
    const connecting = waiting.connect()
    await opening.begun
    await machine.advance(59_000)
    opening.release()
    await connecting
    expect(await waiting.value('SELECT 1')).toBe(1)
    await waiting.end()
  })

  it('tells a client after 60 s that the database did not open, and opens it for the next client', async () => {
    const { machine, opening, client } = await sleeping()
    const connecting = client().connect()
    const refused = expect(connecting).rejects.toMatchObject({
      severity: 'FATAL',
      code: '57P03',
      message: 'the database did not open within 60 s',
      hint: expect.stringContaining('Connect again'),
    })
    await opening.begun
    await machine.advance(60_000)
    await refused
    opening.release()
    const next = client()
    await next.connect()
    expect(await next.value('SELECT 1')).toBe(1)
    await next.end()
  })

  it('forgets a client that disconnects while the database opens', async () => {
    const { machine, opening, session, client } = await sleeping()
    const impatient = client()
    const failed = expect(impatient.connect()).rejects.toThrow('terminated')
    await opening.begun
    expect(session.connections).toBe(1)
    impatient.connection.stream.destroy()
    await failed
    await eventually(() => session.connections).toBe(0)
    opening.release()
    const other = client()
    await other.connect()
    await other.end()
    await eventually(() => session.connections).toBe(0)
    await machine.whenPending(1)
    await machine.advance(DEFAULT_TIMES.hibernateAfterMs)
    expect(session.awake).toBe(false)
  })

  it('lets an engine sleep if its client has disconnected during the opening', async () => {
    const { machine, opening, session, client } = await sleeping()
    const impatient = client()
    const failed = expect(impatient.connect()).rejects.toThrow('terminated')
    await opening.begun
    impatient.connection.stream.destroy()
    await failed
    await eventually(() => session.connections).toBe(0)
    opening.release()
    await eventually(() => session.awake).toBe(true)
    await machine.whenPending(1)
    await machine.advance(DEFAULT_TIMES.hibernateAfterMs)
    expect(session.awake).toBe(false)
  })

  it('stops when the database is dropped', async () => {
    const { opening, session, client } = await sleeping()
    const failed = codeOf(client().connect())
    const signal = await opening.begun
    await session.close({ code: '57P01', message: 'terminating connection' })
    expect(await failed).toBe('57P01')
    expect(signal.aborted).toBe(true)
  })
})

describe('the creation of an embedded database', () => {
  async function started(openingLimitMs: number) {
    const machine = new Clock({ mode: 'manual' })
    const dataDirectory = mkdtempSync(join(tmpdir(), 'understudy-test-'))
    const times = { openingLimitMs }
    const provider = await EmbeddedDatabases.start({ machine, ids, dataDirectory, times })
    onTestFinished(async () => {
      await provider.close()
      await rm(dataDirectory, { recursive: true, force: true })
    })
    const directories = () => readdirSync(dataDirectory).filter(entry => entry.startsWith('data_'))
    return { machine, provider, directories }
  }

  it('stops at its time limit, leaves nothing behind, and works the next time', async () => {
    const { machine, provider, directories } = await started(1_000)
    const making = expect(provider.provision(freshSpec())).rejects.toThrow('took longer than 1 s')
    await machine.whenPending(1)
    await machine.advance(1_000)
    await making
    await eventually(directories).toEqual([])
    await expect(provider.provision(freshSpec())).resolves.toMatchObject({ url: expect.any(String) })
  })

  it('stops when its caller disconnects', async () => {
    const { provider } = await started(60_000)
    const [given, kept] = [freshSpec(), freshSpec()]
    const caller = new AbortController()
    const making = provider.provision(given, caller.signal)
    caller.abort('the caller hung up')
    await expect(making).rejects.toThrow('the caller hung up')
    await provider.provision(kept)
    expect(await codeOf(provider.stats(given.name))).toBe('unknown_database')
    expect((await provider.stats(kept.name)).state).toBe('awake')
  })

  it('ends an engine that is still opening when the databases are closed', async () => {
    const { provider, directories } = await started(60_000)
    const refused = expect(provider.spareReady()).rejects.toThrow('the databases are closed')
    await provider.close()
    await refused
    expect(directories()).toEqual([])
  })
})
