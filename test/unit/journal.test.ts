import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { Clock } from '../../shared/clock/clock.js'
import { argsHash } from '../../shared/journal/args-hash.js'
import type { Arrival } from '../../shared/journal/entry.js'
import { JournalFile } from '../../shared/journal/file.js'
import { Journal } from '../../shared/journal/journal.js'

const clock = () => new Clock({ mode: 'manual' })

const arrival = (change: Partial<Arrival> = {}): Arrival => ({
  server: 'safebot',
  transport: 'http',
  session: null,
  caller: 'alice',
  method: 'tools/call',
  tool: 'room_status',
  arguments: { url: 'u' },
  headers: {},
  raw: '{"x":1}',
  ...change,
})

it('keeps what came in, in order, with the instance’s time and how it ended', () => {
  const journal = new Journal({ clock: clock(), instance: 'i' })
  const entry = journal.open(arrival())
  expect(entry.outcome).toBeUndefined()
  journal.close(entry, 'ok', 12)
  journal.open(arrival({ caller: 'bob' }))
  expect(journal.entries().map(({ seq, caller, outcome }) => [seq, caller, outcome])).toEqual([
    [1, 'alice', 'ok'],
    [2, 'bob', undefined],
  ])
  expect(entry).toMatchObject({ at: '2026-01-01T00:00:00.000Z', requestBytes: 7, responseBytes: 12 })
})

it('ends an entry once', () => {
  const journal = new Journal({ clock: clock(), instance: 'i' })
  const entry = journal.open(arrival())
  journal.close(entry, 'aborted')
  journal.close(entry, 'ok', 99)
  expect(entry).toMatchObject({ outcome: 'aborted', responseBytes: 0 })
})

it('filters by every field that is named', () => {
  const journal = new Journal({ clock: clock(), instance: 'i' })
  journal.close(journal.open(arrival()), 'ok')
  journal.close(journal.open(arrival({ tool: 'ack_task' })), 'tool_error')
  expect(journal.entries({ tool: 'ack_task' })).toHaveLength(1)
  expect(journal.entries({ tool: 'ack_task', outcome: 'ok' })).toHaveLength(0)
})

it('lets go of the oldest past its bounds and counts them', () => {
  const journal = new Journal({ clock: clock(), instance: 'i', maxEntries: 100 })
  for (let count = 0; count < 1000; count++) journal.open(arrival())
  expect(journal.entries()).toHaveLength(100)
  expect(journal.entries()[0]?.seq).toBe(901)
  expect(journal.dropped).toBe(900)
})

it('bounds the bytes it keeps, but always keeps the latest', () => {
  const journal = new Journal({ clock: clock(), instance: 'i', maxBytes: 1000 })
  for (let count = 0; count < 10; count++) journal.open(arrival({ raw: 'x'.repeat(400) }))
  expect(journal.entries()).toHaveLength(2)
  journal.open(arrival({ raw: 'x'.repeat(5000) }))
  expect(journal.entries()).toHaveLength(1)
})

it('masks secret headers but shows that they were there', () => {
  const journal = new Journal({ clock: clock(), instance: 'i' })
  const headers = { authorization: 'Bearer sesame', cookie: 'session=sesame', 'x-safebot-handle': 'alice' }
  const entry = journal.open(arrival({ headers }))
  expect(entry.headers).toEqual({
    authorization: 'Bearer [masked]',
    cookie: '[masked]',
    'x-safebot-handle': 'alice',
  })
  expect(headers.authorization).toBe('Bearer sesame')
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
  const file = await JournalFile.open(path, () => undefined)
  const journal = new Journal({ clock: clock(), instance: 'i', file })
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
  ])
  expect((await stat(path)).mode & 0o777).toBe(0o600)
})

it('says which file it cannot write', async () => {
  await expect(JournalFile.open('/nowhere/journal', () => undefined)).rejects.toMatchObject({
    code: 'journal_file',
    message: expect.stringContaining('/nowhere/journal'),
  })
})
