import { describe, expect, it, onTestFinished } from 'vitest'
import { Clock } from '../../../shared/clock/clock.js'
import type { Refusal } from '../../../shared/errors.js'
import { Journal } from '../../../shared/journal/journal.js'
import { arrival } from '../../support/arrival.js'

/** A journal whose machine time is manual, too, so that time-outs take no time. */
function start(options: { maxEntries?: number } = {}): { journal: Journal; machine: Clock } {
  const machine = new Clock({ mode: 'manual' })
  onTestFinished(() => machine.close())
  const journal = new Journal({ clock: new Clock({ mode: 'manual' }), machine, instance: 'i', ...options })
  return { journal, machine }
}

const seqs = (entries: readonly { seq: number }[]) => entries.map(({ seq }) => seq)

describe('waiting for an entry', () => {
  it('ends at once for a kept entry', async () => {
    const { journal } = start()
    journal.close(journal.open(arrival()), 'ok')
    expect(seqs(await journal.waitFor({ tool: 'room_status' }))).toEqual([1])
  })

  it('ends with the next match, in progress or ended', async () => {
    const { journal, machine } = start()
    const waiting = journal.waitFor({ tool: 'room_status' })
    journal.open(arrival({ tool: 'ack_task' }))
    journal.open(arrival())
    expect(seqs(await waiting)).toEqual([2])
    expect(machine.pending).toBe(0)
  })

  it('ends with the end of the entry, if an outcome is given', async () => {
    const { journal } = start()
    const waiting = journal.waitFor({ tool: 'room_status', outcome: 'ok' })
    const [first, second] = [journal.open(arrival()), journal.open(arrival())]
    journal.close(first, 'tool_error')
    journal.close(second, 'ok')
    expect(seqs(await waiting)).toEqual([2])
  })

  it('counts an entry once, although it is reported when it opens and when it ends', async () => {
    const { journal } = start()
    const waiting = journal.waitFor({ tool: 'room_status' }, { count: 2 })
    journal.close(journal.open(arrival()), 'ok')
    let over = false
    void waiting.then(() => {
      over = true
    })
    await new Promise(setImmediate)
    expect(over).toBe(false)
    journal.open(arrival())
    expect(seqs(await waiting)).toEqual([1, 2])
  })

  it('counts kept entries and new ones together', async () => {
    const { journal } = start()
    journal.open(arrival())
    const waiting = journal.waitFor({}, { count: 2 })
    journal.open(arrival())
    expect(seqs(await waiting)).toEqual([1, 2])
  })

  it('can compare a part of the arguments', async () => {
    const { journal } = start()
    journal.open(arrival({ arguments: { name: 'a', tags: [{ k: 1 }], deep: { x: 1, y: 2 } } }))
    const contains = (args: Record<string, unknown>) => journal.entries({ arguments: args }).length === 1
    expect(contains({})).toBe(true)
    expect(contains({ deep: { y: 2 } })).toBe(true)
    expect(contains({ tags: [{}] })).toBe(true)
    expect(contains({ tags: [] })).toBe(false)
    expect(contains({ deep: { y: 3 } })).toBe(false)
    expect(contains({ toString: {} })).toBe(false)
  })

  it('can be for several filters, each with its own entries', async () => {
    const { journal } = start()
    const [alice, bob] = [journal.waitFor({ caller: 'alice' }), journal.waitFor({ caller: 'bob' })]
    journal.open(arrival({ caller: 'bob' }))
    journal.open(arrival({ caller: 'alice' }))
    expect([seqs(await alice), seqs(await bob)]).toEqual([[2], [1]])
  })

  it('starts again when the journal is cleared, without the entries from before', async () => {
    const { journal } = start()
    const old = journal.open(arrival())
    const waiting = journal.waitFor({ outcome: 'ok' }, { count: 2 })
    journal.close(journal.open(arrival()), 'ok')
    journal.clear()
    journal.close(old, 'ok')
    for (let count = 0; count < 2; count++) journal.close(journal.open(arrival()), 'ok')
    expect(seqs(await waiting)).toEqual([3, 4])
  })

  it('can happen 200 times at once, each with its own entry', async () => {
    const { journal, machine } = start()
    const callers = Array.from({ length: 200 }, (_, index) => `caller-${index}`)
    const waiting = callers.map(caller => journal.waitFor({ caller, outcome: 'ok' }))
    const open = callers.map(caller => journal.open(arrival({ caller })))
    for (const entry of open.toReversed()) journal.close(entry, 'ok')
    const found = await Promise.all(waiting)
    expect(found.map(([entry]) => entry?.caller)).toEqual(callers)
    expect(machine.pending).toBe(0)
  })
})

describe('waiting without a match', () => {
  /** Why waiting for `where` failed once its second was over. */
  async function whyNot(
    { journal, machine }: ReturnType<typeof start>,
    where: Parameters<Journal['waitFor']>[0],
    count = 1,
  ): Promise<string> {
    const waiting = journal.waitFor(where, { count, timeoutMs: 1000 })
    const failed = expect(waiting).rejects.toMatchObject({ code: 'journal_wait' })
    await machine.advance(1000)
    await failed
    return waiting.then(
      () => '',
      (error: Refusal) => error.reason,
    )
  }

  it('reports that nothing arrived at all', async () => {
    expect(await whyNot(start(), { tool: 'ack_task', outcome: 'ok' })).toBe(
      'tool "ack_task", outcome "ok" did not arrive within 1000 ms; nothing arrived at all',
    )
  })

  it('names the nearest entry, and its differences', async () => {
    const started = start()
    started.journal.close(started.journal.open(arrival({ tool: 'ack_task' })), 'tool_error')
    started.journal.close(started.journal.open(arrival({ caller: 'bob' })), 'ok')
    const where = { tool: 'ack_task', caller: 'alice', outcome: 'ok', arguments: { url: 'v' } } as const
    expect(await whyNot(started, where)).toContain(
      'nearest is #1 alice ack_task tool_error: outcome is "tool_error", not "ok"; arguments.url is "u", not "v"',
    )
  })

  it('distinguishes an entry in progress from one that ended otherwise', async () => {
    const started = start()
    started.journal.open(arrival())
    expect(await whyNot(started, { tool: 'room_status', outcome: 'aborted' })).toContain(
      'nearest is #1 alice room_status under way: outcome is not known yet, and "aborted" was wanted',
    )
  })

  it('reports how many of several arrived', async () => {
    const started = start()
    started.journal.open(arrival())
    expect(await whyNot(started, { tool: 'room_status' }, 3)).toBe(
      'tool "room_status" arrived 1 times instead of 3 within 1000 ms; nothing else arrived',
    )
  })

  it('can be cancelled, and ends with the instance', async () => {
    const { journal, machine } = start()
    const stop = new AbortController()
    const [given, stopped] = [journal.waitFor({}, { signal: stop.signal }), journal.waitFor({})]
    stop.abort(new Error('enough'))
    await expect(given).rejects.toThrow('enough')
    journal.stop()
    await expect(stopped).rejects.toMatchObject({ code: 'journal_stopped' })
    expect(machine.pending).toBe(0)
  })

  it('is refused for an invalid field, outcome or count', async () => {
    const { journal } = start()
    await expect(journal.waitFor(Object({ tol: 'x' }))).rejects.toMatchObject({ code: 'bad_where' })
    await expect(journal.waitFor(Object({ outcome: 'x' }))).rejects.toMatchObject({ code: 'bad_where' })
    await expect(journal.waitFor({}, { count: 0 })).rejects.toMatchObject({ code: 'bad_wait' })
  })
})

describe('expecting nothing', () => {
  it('passes while no matching entry has arrived', () => {
    const { journal } = start()
    journal.open(arrival())
    expect(() => journal.expectNothing({ tool: 'delete_resource' })).not.toThrow()
  })

  it('fails with a line for each matching entry, in progress or ended', () => {
    const { journal } = start()
    journal.close(journal.open(arrival()), 'tool_error')
    journal.open(arrival({ caller: 'bob' }))
    expect(() => journal.expectNothing({ tool: 'room_status' })).toThrow(
      'tool "room_status" was not expected, but arrived 2 times:\n' +
        '  #1 alice room_status tool_error\n  #2 bob room_status under way',
    )
  })

  it('proves nothing when entries were dropped, until the journal is cleared', () => {
    const { journal } = start({ maxEntries: 2 })
    for (let count = 0; count < 3; count++) journal.open(arrival())
    const expectNothing = () => journal.expectNothing({ tool: 'delete_resource' })
    expect(expectNothing).toThrow('1 of the oldest entries are no longer kept')
    journal.clear()
    expect(expectNothing).not.toThrow()
  })
})
