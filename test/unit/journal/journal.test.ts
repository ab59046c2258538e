import { readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Clock } from '../../../shared/clock/clock.js'
import { argsHash, JournalEntry } from '../../../shared/journal/entry.js'
import { Journal } from '../../../shared/journal/journal.js'
import { JsonLinesFile } from '../../../shared/util/json-lines-file.js'
import { arrival } from '../../support/arrival.js'

const clock = () => new Clock({ mode: 'manual' })

it('keeps requests in order, with the instance’s time and their outcome', () => {
  const journal = new Journal({ clock: clock(), machine: clock(), instance: 'i' })
  const entry = journal.open(arrival({ raw: '{"x":1}' }))
  expect(entry.outcome).toBeUndefined()
  journal.close(entry, 'ok', 12)
  journal.open(arrival({ caller: 'bob' }))
  expect(journal.entries().map(({ seq, caller, outcome }) => [seq, caller, outcome])).toEqual([
    [1, 'alice', 'ok'],
    [2, 'bob', undefined],
  ])
  expect(entry).toMatchObject({ at: '2026-01-01T00:00:00.000Z', requestBytes: 7, responseBytes: 12 })
})

it('records the end of an entry once', () => {
  const journal = new Journal({ clock: clock(), machine: clock(), instance: 'i' })
  const entry = journal.open(arrival())
  journal.close(entry, 'aborted')
  journal.close(entry, 'ok', 99)
  expect(entry).toMatchObject({ outcome: 'aborted', responseBytes: 0 })
})

it('filters by every given field', () => {
  const journal = new Journal({ clock: clock(), machine: clock(), instance: 'i' })
  journal.close(journal.open(arrival()), 'ok')
  journal.close(journal.open(arrival({ tool: 'ack_task' })), 'tool_error')
  expect(journal.entries({ tool: 'ack_task' })).toHaveLength(1)
  expect(journal.entries({ tool: 'ack_task', outcome: 'ok' })).toHaveLength(0)
})

it('drops the oldest entries over its limits, and counts them', () => {
  const journal = new Journal({ clock: clock(), machine: clock(), instance: 'i', maxEntries: 100 })
  for (let count = 0; count < 1000; count++) journal.open(arrival())
  expect(journal.entries()).toHaveLength(100)
  expect(journal.entries()[0]?.seq).toBe(901)
  expect(journal.dropped).toBe(900)
})

it('limits the bytes that it keeps, but always keeps the latest entry', () => {
  const journal = new Journal({ clock: clock(), machine: clock(), instance: 'i', maxBytes: 1000 })
  for (let count = 0; count < 10; count++) journal.open(arrival({ raw: 'x'.repeat(400) }))
  expect(journal.entries()).toHaveLength(2)
  journal.open(arrival({ raw: 'x'.repeat(5000) }))
  expect(journal.entries()).toHaveLength(1)
})

it('keeps the latest 256 answers, of entries that it keeps', () => {
  const journal = new Journal({ clock: clock(), machine: clock(), instance: 'i', maxEntries: 300 })
  const late = journal.open(arrival())
  for (let seq = 2; seq <= 301; seq++) journal.close(journal.open(arrival()), 'ok', 3, `${seq}`)
  journal.close(late, 'ok', 1, '1')
  expect(() => journal.find(1)).toThrow('no entry 1')
  const kept = Array.from({ length: 300 }, (_, at) => journal.find(at + 2).answer)
  expect(kept.filter(answer => answer !== null)).toHaveLength(255)
  expect([kept[0], kept.at(-1)]).toEqual([null, '301'])
  journal.clear()
  expect(() => journal.find(301)).toThrow('no entry 301')
})

it('keeps no answer that is longer than 64 KiB', () => {
  const journal = new Journal({ clock: clock(), machine: clock(), instance: 'i' })
  journal.close(journal.open(arrival()), 'ok', 65_536, { just: 'in' })
  journal.close(journal.open(arrival()), 'ok', 65_537, { just: 'out' })
  expect(journal.find(1).answer).toBe('{"just":"in"}')
  expect(journal.find(2).answer).toBeNull()
})

it('masks secret headers, but shows their names', () => {
  const journal = new Journal({ clock: clock(), machine: clock(), instance: 'i' })
  const headers = { authorization: 'Bearer sesame', cookie: 'session=sesame', 'x-safebot-handle': 'alice' }
  const entry = journal.open(arrival({ headers }))
  expect(entry.headers).toEqual({
    authorization: 'Bearer [masked]',
    cookie: '[masked]',
    'x-safebot-handle': 'alice',
  })
  expect(headers.authorization).toBe('Bearer sesame')
})

it.each([
  'x-goog-api-key',
  'apikey',
  'x-auth-request-access',
  'x-vault-token',
  'x-client-secret',
  'x-password',
  'x-amz-credential',
  'x-session',
])('masks the header %s by its name', name => {
  const journal = new Journal({ clock: clock(), machine: clock(), instance: 'i' })
  expect(journal.open(arrival({ headers: { [name]: 'sesame' } })).headers).toEqual({ [name]: '[masked]' })
})

it.each(['mcp-session-id', 'idempotency-key', 'user-agent', 'x-safebot-handle', 'traceparent'])(
  'shows the header %s, which holds no credential',
  name => {
    const journal = new Journal({ clock: clock(), machine: clock(), instance: 'i' })
    expect(journal.open(arrival({ headers: { [name]: 'plain' } })).headers).toEqual({ [name]: 'plain' })
  },
)

it('masks a header that a part of the process has named as secret', () => {
  const journal = new Journal({ clock: clock(), machine: clock(), instance: 'i' })
  journal.maskHeader('X-Upstream')
  expect(journal.open(arrival({ headers: { 'x-upstream': 'sesame' } })).headers).toEqual({
    'x-upstream': '[masked]',
  })
})

it('hashes arguments as the gateways do: sorted keys, compact, Go’s escapes', () => {
  // sha256 of {"a":"\u003cb\u003e\u0026","z":[{"x":1,"y":2}]}, reckoned with coreutils' sha256sum
  expect(argsHash({ z: [{ y: 2, x: 1 }], a: '<b>&' })).toBe(
    'sha256:503b07e7b4fd981f1e2b1bd627dcf11f28bba3b825b256758749b6a8e8f1a302',
  )
})

it('appends ended entries to a file that only its owner may read', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'journal-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  const path = join(dir, 'journal.jsonl')
  const file = await JsonLinesFile.open('journal', path, () => undefined)
  const journal = new Journal({ clock: clock(), machine: clock(), instance: 'i', file })
  journal.close(journal.open(arrival()), 'ok', 5)
  journal.open(arrival({ tool: 'never_ends' }))
  await file.close()
  const lines = (await readFile(path, 'utf8')).trim().split('\n')
  expect(lines).toHaveLength(1)
  expect(Object.keys(JSON.parse(lines[0] ?? ''))).toEqual([
    'seq',
    'at',
    'wall',
    'server',
    'instance',
    'transport',
    'session',
    'caller',
    'method',
    'tool',
    'arguments',
    'argsHash',
    'headers',
    'outcome',
    'durationMs',
    'requestBytes',
    'responseBytes',
    'raw',
    'trace',
    'protocol',
    'client',
    'mismatch',
  ])
  expect((await stat(path)).mode & 0o777).toBe(0o600)
})

it.each([false, true])('begins a new line if the file ends in the middle of one (sync: %s)', async sync => {
  const dir = await mkdtemp(join(tmpdir(), 'journal-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  const path = join(dir, 'journal.jsonl')
  await writeFile(path, '{"seq":1}\n{"seq":2,"at":"20')
  for (const seq of [3, 4]) {
    const file = await JsonLinesFile.open('journal', path, () => undefined, { sync })
    file.append({ seq })
    await file.close()
  }
  expect(await readFile(path, 'utf8')).toBe('{"seq":1}\n{"seq":2,"at":"20\n{"seq":3}\n{"seq":4}\n')
})

it('writes an entry to the file at once with sync', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'journal-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  const path = join(dir, 'journal.jsonl')
  const file = await JsonLinesFile.open('journal', path, () => undefined, { sync: true })
  file.append({ seq: 1 })
  expect(readFileSync(path, 'utf8')).toBe('{"seq":1}\n')
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  await file.close()
})

it('returns pages, each with the start of the next', () => {
  const journal = new Journal({ clock: clock(), machine: clock(), instance: 'i' })
  for (const caller of ['alice', 'bob', 'alice', 'alice']) journal.open(arrival({ caller }))
  const first = journal.page({ caller: 'alice', limit: 2 })
  expect(first.entries.map(({ seq }) => seq)).toEqual([1, 3])
  const second = journal.page({ caller: 'alice', limit: 2, after: first.next })
  expect([second.entries.map(({ seq }) => seq), second.next, second.dropped]).toEqual([[4], 4, 0])
  expect(journal.page({ after: second.next })).toEqual({ entries: [], next: 4, dropped: 0 })
})

it('refuses an invalid request for a page', () => {
  const journal = new Journal({ clock: clock(), machine: clock(), instance: 'i' })
  // As a caller without types might.
  const ask = (where: object) => () => journal.page(where)
  expect(ask({ tol: 'x' })).toThrow(/does not know "tol": there are server, tool, .*arguments/)
  expect(ask({ outcome: 'fine' })).toThrow(
    /outcome .*"ok"\|"tool_error"\|"protocol_error"\|"aborted"\|"fault"/,
  )
  expect(ask({ limit: 0 })).toThrow(/limit/)
  expect(() => journal.entries(Object({ tool: undefined }))).toThrow(/tool/)
})

it('is empty after a clear, and continues its numbers', () => {
  const journal = new Journal({ clock: clock(), machine: clock(), instance: 'i', maxEntries: 1 })
  journal.open(arrival())
  journal.open(arrival())
  journal.clear()
  expect(journal.page()).toEqual({ entries: [], next: 0, dropped: 0 })
  expect(journal.open(arrival()).seq).toBe(3)
})

it('reports each entry to its listeners when it opens and when it ends, also if one of them throws', () => {
  const failures: unknown[] = []
  const onError = (error: unknown) => void failures.push(error)
  const journal = new Journal({ clock: clock(), machine: clock(), instance: 'i', onError })
  const told: unknown[] = []
  journal.subscribe(() => {
    throw new Error('of the listener')
  })
  const leave = journal.subscribe(({ seq, outcome }) => void told.push([seq, outcome]))
  const entry = journal.open(arrival())
  journal.close(entry, 'ok')
  leave()
  journal.open(arrival())
  expect(told).toEqual([
    [1, undefined],
    [1, 'ok'],
  ])
  expect(failures).toHaveLength(3)
})

it('records the trace of a request, from its message or its header', () => {
  const journal = new Journal({ clock: clock(), machine: clock(), instance: 'i' })
  const id = '4bf92f3577b34da6a3ce929d0e0e4736'
  const traceparent = `00-${id}-00f067aa0ba902b7-01`
  const other = traceparent.replaceAll('4b', '5c')
  expect(journal.open(arrival({ headers: { traceparent } })).trace).toBe(id)
  expect(journal.open(arrival({ headers: { traceparent: other }, traceparent })).trace).toBe(id)
  for (const bad of ['', 'x', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, `ff${traceparent.slice(2)}`, 7]) {
    expect(journal.open(arrival({ traceparent: bad })).trace).toBeNull()
  }
})

it('keeps nothing while it is off, and refuses to prove anything', async () => {
  const journal = new Journal({ clock: clock(), machine: clock(), instance: 'i', enabled: false })
  journal.close(journal.open(arrival()), 'ok')
  expect(journal.entries()).toEqual([])
  expect(() => journal.expectNothing()).toThrow('the journal is off')
  await expect(journal.waitFor({})).rejects.toMatchObject({ code: 'journal_off' })
})

it('names the file that it cannot write', async () => {
  await expect(JsonLinesFile.open('journal', '/nowhere/journal', () => undefined)).rejects.toMatchObject({
    code: 'journal_file',
    message: expect.stringContaining('/nowhere/journal'),
  })
})

describe('the request of an entry', () => {
  const open = (change: Parameters<typeof arrival>[0]) => {
    const journal = new Journal({ clock: clock(), machine: clock(), instance: 'i' })
    const entry = journal.open(arrival(change))
    return { journal, entry }
  }

  it('has its arguments as they were parsed, until it ends', () => {
    const args = { url: 'u' }
    const { journal, entry } = open({ arguments: args })
    expect(entry.arguments).toBe(args)
    journal.close(entry, 'ok')
    expect(entry.arguments).not.toBe(args)
    expect(entry.arguments).toEqual(args)
    expect(entry.toJSON().arguments).toEqual(args)
  })

  it('has the text of a large body, and the arguments in it', () => {
    const args = { text: 'é'.repeat(100_000) }
    const { journal, entry } = open({ arguments: args })
    const { raw, argsHash } = entry.toJSON()
    journal.close(entry, 'ok')
    expect(entry.toJSON()).toMatchObject({ raw, argsHash, arguments: args })
  })

  it('has the arguments of its own message of a batch', () => {
    const call = (text: string) => ({ method: 'tools/call', params: { name: 'echo', arguments: { text } } })
    const raw = JSON.stringify([call('a'), call('b')])
    const { journal, entry } = open({ tool: 'echo', arguments: { text: 'b' }, raw, batchIndex: 1 })
    journal.close(entry, 'ok')
    expect(entry.arguments).toEqual({ text: 'b' })
    const elsewhere = JournalEntry.from(entry.toJSON(), 7)
    expect(elsewhere.arguments).toEqual({ text: 'b' })
  })

  it('has no trace if its traceparent is not text', () => {
    expect(open({ traceparent: [[], []] }).entry.trace).toBeNull()
  })
})

it('does not refer to dropped entries', async () => {
  const journal = new Journal({ clock: clock(), machine: clock(), instance: 'i', maxEntries: 1 })
  const first = new WeakRef(journal.open(arrival()))
  journal.open(arrival())
  // A WeakRef holds what it refers to until the turn ends.
  await new Promise(setImmediate)
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  expect(first.deref()).toBeUndefined()
})
