import { describe, expect, it } from 'vitest'
import { CALLS, CallLog } from '../../../servers/page/model/call-log.js'
import { filtered, type LogFilter, NO_FILTER } from '../../../servers/page/model/log.js'
import { entry } from './entry.js'

const seqs = (log: CallLog) => log.calls.map(call => call.entry.seq)

describe('the calls of the page', () => {
  it('are in the order of their arrival, in any order of messages', () => {
    const log = new CallLog()
    for (const seq of [2, 5, 3, 1, 4]) log.take(entry(seq))
    expect(seqs(log)).toEqual([1, 2, 3, 4, 5])
  })

  it('show the last message about each', () => {
    const log = new CallLog()
    log.take(entry(1, { outcome: null }))
    log.take(entry(2))
    log.take(entry(1, { outcome: 'fault' }))
    expect(log.calls.map(call => call.entry.outcome)).toEqual(['fault', 'ok'])
  })

  it('are the latest ten thousand, and the older ones are counted', () => {
    const log = new CallLog()
    for (let seq = 1; seq <= 10_003; seq++) log.take(entry(seq))
    // One that is no longer kept ends.
    log.take(entry(2, { outcome: 'fault' }))
    expect([log.calls.length, seqs(log)[0], seqs(log).at(-1), log.dropped]).toEqual([10_000, 4, 10_003, 3])
    log.clear()
    log.take(entry(1))
    expect([seqs(log), log.dropped]).toEqual([[1], 0])
  })

  it('show the latest first, and can be filtered by words, tools and failures', () => {
    const log = new CallLog()
    log.take(entry(1, { tool: null, method: 'initialize' }))
    log.take(entry(2, { tool: 'claim_task', caller: 'Bob', outcome: 'tool_error' }))
    log.take(entry(3, { tool: 'ack_task', outcome: null }))
    const shown = (wanted: Partial<LogFilter>) =>
      filtered(log.calls, CALLS, { ...NO_FILTER, ...wanted }).map(CALLS.seqOf)
    expect(shown({})).toEqual([3, 2, 1])
    expect(shown({ text: ' bob' })).toEqual([2])
    expect(shown({ text: 'TASK' })).toEqual([3, 2])
    expect(shown({ text: 'init' })).toEqual([1])
    expect(shown({ required: ['tools only'] })).toEqual([3, 2])
    expect(shown({ required: ['failed only'] })).toEqual([2])
  })
})
