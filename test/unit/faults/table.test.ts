import { describe, expect, it } from 'vitest'
import type { Fault, FaultAction } from '../../../shared/faults/fault.js'
import { FaultTable } from '../../../shared/faults/table.js'
import { knownTools } from '../../support/servers/known-tools.js'

const FAILS: FaultAction = { toolError: 'no' }

const fault = (change: Partial<Fault> = {}): Fault => ({
  server: 'safebot',
  tool: 'ack_task',
  when: { always: true },
  do: FAILS,
  ...change,
})

function tableOf(...faults: Fault[]): FaultTable {
  const table = new FaultTable(knownTools())
  table.set(faults)
  return table
}

/** On which of the next `count` calls something is due, from 1. */
function dueOn(table: FaultTable, count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1).filter(
    () => table.due('safebot', 'ack_task') !== undefined,
  )
}

describe('a fault is injected', () => {
  it.each([
    [{ nth: 2 }, [2]],
    [{ first: 3 }, [1, 2, 3]],
    [{ every: 2 }, [2, 4, 6]],
    [{ always: true }, [1, 2, 3, 4, 5, 6]],
  ] as const)('%j: in calls %j', (when, calls) => {
    const table = tableOf(fault({ when }))
    expect(dueOn(table, 6)).toEqual(calls)
    expect(table.list()).toEqual([{ ...fault({ when }), hits: calls.length }])
  })

  it('only in calls of its server and tool, unless it is for every tool', () => {
    const table = tableOf(fault())
    expect(table.due('safebot', 'claim_task')).toBeUndefined()
    expect(table.due('instanode', 'ack_task')).toBeUndefined()
    table.set([fault({ tool: '*', when: { nth: 2 } })])
    expect(table.due('safebot', 'claim_task')).toBeUndefined()
    expect(table.due('safebot', 'anything')).toMatchObject({ act: FAILS })
  })

  it('with all delays that are due, and before the others that are due', () => {
    const table = tableOf(
      fault({ do: { delayMs: 10 } }),
      fault({ when: { nth: 1 } }),
      fault({ do: { hang: true } }),
      fault({ do: { delayMs: 5 } }),
    )
    expect(table.due('safebot', 'ack_task')).toEqual({ delayMs: 15, act: FAILS })
    expect(table.due('safebot', 'ack_task')).toEqual({ delayMs: 15, act: { hang: true } })
    expect(table.list().map(({ hits }) => hits)).toEqual([2, 1, 1, 2])
  })

  it('inside another tool only as an error, and is otherwise not counted there', () => {
    const table = tableOf(
      fault({ do: { hang: true }, when: { nth: 1 } }),
      fault({ tool: '*', when: { nth: 2 } }),
      fault({ when: { nth: 2 } }),
    )
    expect(table.dueInside('safebot', 'ack_task')).toBeUndefined()
    expect(table.dueInside('safebot', 'ack_task')).toEqual(FAILS)
    expect(table.due('safebot', 'ack_task')).toEqual({ delayMs: 0, act: { hang: true } })
  })
})

describe('a table of faults', () => {
  it('lists the faults that were never injected', () => {
    const table = tableOf(fault({ when: { nth: 3 } }), fault())
    dueOn(table, 2)
    expect(() => table.expectAllHit()).toThrow(
      '1 of 2 faults never came:\n  safebot ack_task {"nth":3} {"toolError":"no"}: 2 calls matched',
    )
    dueOn(table, 1)
    expect(() => table.expectAllHit()).not.toThrow()
  })

  it('is restored with its counts', () => {
    const table = tableOf(fault({ when: { nth: 2 } }))
    dueOn(table, 1)
    const snapshot = table.snapshot()
    expect(dueOn(table, 2)).toEqual([1])
    table.restore(JSON.parse(JSON.stringify(snapshot)))
    expect(table.list()).toMatchObject([{ hits: 0 }])
    expect(dueOn(table, 2)).toEqual([1])
    table.clear()
    expect([table.any, table.list(), dueOn(table, 1)]).toEqual([false, [], []])
  })
})

describe('an invalid fault is refused by name, and changes nothing', () => {
  const ACTIONS = 'delayMs, toolError, rpcError, httpStatus, hang, drop, crash, bytes, malformed, gzip'
  it.each<[string, unknown, string]>([
    [
      'a kind',
      { do: { explode: true } },
      `[0].do is "explode", which is no kind of fault: there are ${ACTIONS}`,
    ],
    ['no kind', { do: {} }, 'no kind of fault'],
    ['a value', { do: { drop: 'never' } }, '[0].do'],
    ['a size', { do: { bytes: 3 } }, '>=128'],
    ['a delay', { do: { delayMs: -1 } }, '>=0'],
    ['two kinds', { do: { hang: true, gzip: true } }, 'does not know "gzip": there are hang'],
    ['a time', { when: { sometimes: true } }, 'no kind of when: there are nth, first, every, always'],
    ['a count', { when: { nth: 0 } }, '>=1'],
    ['a field', { wen: 1 }, 'does not know "wen": there are server, tool, method, when, do'],
    ['a server', { server: 'safebo' }, 'there is no server "safebo"'],
    ['a tool', { tool: 'ack' }, 'safebot has no tool "ack"'],
  ])('%s', (_, change, why) => {
    const table = tableOf(fault())
    expect(() => table.set([fault(), Object.assign(fault(), change)])).toThrow(why.replace('[0]', '[1]'))
    expect(table.list()).toEqual([{ ...fault(), hits: 0 }])
  })

  it('with the known faults', () => {
    const table = tableOf()
    expect(() => table.set([fault({ server: 'x' })])).toThrow(
      expect.objectContaining({ code: 'unknown_server', hint: 'there are safebot, instanode' }),
    )
    expect(() => table.set([fault({ tool: 'x' })])).toThrow(
      expect.objectContaining({ code: 'unknown_tool', hint: 'it has room_status, ack_task, claim_task' }),
    )
  })
})
