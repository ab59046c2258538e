import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, get, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Resource } from '../../servers/instanode/domain/model.js'
import { InstanodeStore } from '../../servers/instanode/domain/store.js'
import { Agents } from '../../servers/safebot/callers.js'
import { Clock } from '../../shared/clock/clock.js'
import { Listener } from '../../shared/http/listener.js'
import { SseStream } from '../../shared/http/sse.js'
import { IdSource } from '../../shared/ids.js'
import { Journal } from '../../shared/journal/journal.js'
import { Sessions } from '../../shared/mcp/http/sessions.js'
import { MemoryRecords } from '../../shared/records/memory-records.js'
import { JsonLinesFile } from '../../shared/util/json-lines-file.js'
import { arrival } from '../support/arrival.js'
import { rpc } from '../support/clients/raw-http.js'
import { startToyServer } from '../support/servers/toy-server.js'

const MIB = 1024 * 1024
const clock = () => new Clock({ mode: 'manual' })
const text = (mib: number) => 'x'.repeat(mib * MIB)

function journalWith(entries: number, mib: number): Journal {
  const journal = new Journal({ clock: clock(), machine: clock(), instance: 'i' })
  const raw = text(mib)
  for (let count = 0; count < entries; count++) journal.open(arrival({ raw }))
  return journal
}

describe('the journal', () => {
  it('ends a page when its bodies have 16 MiB, and the next page continues there', () => {
    const journal = journalWith(30, 1)
    const { entries, next } = journal.page()
    expect([entries.length, next]).toEqual([17, 17])
    expect(journal.page({ after: next }).entries[0]?.seq).toBe(18)
  })

  it('sends a stream at most 16 MiB of bodies at once, and one entry of any size', () => {
    expect(journalWith(30, 1).changesAfter(0, 200).entries).toHaveLength(16)
    expect(journalWith(2, 20).changesAfter(0, 200).entries).toHaveLength(1)
  })

  it('ends a wait whose entries have more than 64 MiB of bodies', async () => {
    const journal = journalWith(0, 0)
    const waiting = journal.waitFor({}, { count: 100 })
    const raw = text(1)
    for (let count = 0; count < 65; count++) journal.open(arrival({ raw }))
    await expect(waiting).rejects.toMatchObject({
      code: 'journal_wait',
      message: expect.stringContaining('65 times'),
    })
  })
})

describe('a server', () => {
  it('refuses further requests while the open ones have 32 MiB of bodies', async () => {
    const toy = await startToyServer()
    const { input, output } = toy.pipe()
    const answers: string[] = []
    output.on('data', (chunk: Buffer) => answers.push(chunk.toString('utf8')))
    const filler = text(8)
    for (let id = 1; id <= 5; id++) {
      const call = rpc('tools/call', { name: 'park', arguments: { as: `${id}` }, _meta: { filler } }, id)
      input.write(`${JSON.stringify(call)}\n`)
    }
    await toy.happened('4 parked')
    await expect.poll(() => answers.join('')).toContain('"id":5')
    expect(answers.join('')).toContain('too many requests are under way')
    expect(toy.events).not.toContain('5 parked')
  })

  it('reads no more from a pipe while its answers are unread', async () => {
    const toy = await startToyServer()
    const { input, output } = toy.pipe()
    for (let count = 0; count < 20; count++) {
      input.write(`${JSON.stringify({ jsonrpc: '2.0', id: `${count}${text(1)}`, method: 'ping' })}\n`)
    }
    await expect.poll(() => input.isPaused()).toBe(true)
    output.resume()
    await expect.poll(() => input.isPaused()).toBe(false)
  })

  it('has no more than 100,000 sessions', () => {
    const nothing = () => undefined
    const sessions = new Sessions({
      machine: clock(),
      ids: new IdSource('s'),
      onAdopted: nothing,
      onExpired: nothing,
      onEnded: nothing,
    })
    for (let count = 0; count < 99_999; count++) sessions.add(sessions.draft())
    expect(sessions.full).toBe(false)
    sessions.add(sessions.draft())
    expect(sessions.full).toBe(true)
  })

  it('cuts an event stream whose reader has left 16 MiB unread', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    const opened = new Promise<ServerResponse>(resolve => {
      server.on('request', (_, response) => resolve(response))
    })
    await new Promise(resolve => server.once('listening', resolve))
    const { port } = server.address() as AddressInfo
    const reader = get({ port, host: '127.0.0.1' }, response => response.pause())
    reader.on('error', () => undefined)
    const response = await opened
    const stream = new SseStream(response, clock(), {})
    const message = { filler: text(1) }
    for (let sent = 0; sent < 12; sent++) stream.send(message)
    expect(response.destroyed).toBe(false)
    for (let sent = 0; sent < 20; sent++) stream.send(message)
    expect(response.destroyed).toBe(true)
  })
})

it('a listener closes the connections over its limit', async () => {
  const address = { host: '127.0.0.1', port: 0, name: 'test' }
  const listener = await Listener.open({ ...address, maxConnections: 2, handlers: async () => ({}) })
  const sockets: Socket[] = []
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy()
    await listener.close()
  })
  const open = async () => {
    const socket = connect(Number(new URL(listener.url).port), '127.0.0.1')
    sockets.push(socket)
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    socket.on('error', () => undefined)
    return new Promise(resolve => {
      socket.once('data', () => resolve('answered'))
      socket.once('close', () => resolve('closed'))
    })
  }
  expect([await open(), await open(), await open()]).toEqual(['answered', 'answered', 'closed'])
})

it('a session uses at most 1,000 handles', () => {
  const agents = new Agents(new IdSource('s'))
  const identify = (handle: string) =>
    agents.identify({
      transport: 'http',
      session: 'one',
      headers: { 'x-safebot-handle': handle },
      query: new URLSearchParams(),
    })
  for (let count = 0; count < 1000; count++) identify(`agent-${count}`)
  expect(() => identify('one-more')).toThrow('the session has used 1000 handles already')
  expect(identify('agent-0').handle).toBe('agent-0')
})

it('all receivers together keep at most 256 MiB, and freed space is used again', async () => {
  const store = new InstanodeStore(new MemoryRecords())
  const resource = (token: string): Resource => ({
    ...{ id: token, token, type: 'webhook', name: 'hook', tier: 'paid', status: 'active' },
    ...{ owner: null, subnet: '', url: '', createdAt: 0, expiresAt: null, reapAt: null, measureAt: null },
  })
  const generation = await store.generation()
  for (const token of ['one', 'two']) await store.insert(resource(token), generation)
  const body = Buffer.alloc(MIB)
  const push = (token: string, id: number) => {
    const request = { method: 'POST', path: '/', query: '', rawHeaders: [], body, receivedAt: 0 }
    return store.pushDelivery(token, { id: `${id}`, ...request }, 1000, generation)
  }
  for (let count = 0; count < 256; count++) await push('one', count)
  await expect(push('two', 256)).rejects.toThrow('all receivers keep 268435456 bytes already')
  await store.forgetDeliveries('one')
  expect(await push('two', 257)).toBe(true)
})

it('a journal file leaves out entries while 64 MiB wait for the disk, and reports it once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-lines-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const errors: string[] = []
  const file = await JsonLinesFile.open('journal', join(folder, 'lines'), error => errors.push(String(error)))
  const entry = { filler: text(1) }
  for (let count = 0; count < 70; count++) file.append(entry)
  expect(errors).toEqual(['Error: the disk is too slow: entries are missing in the file'])
  await file.close()
})
