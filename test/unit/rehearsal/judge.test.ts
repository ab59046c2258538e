import { describe, expect, it } from 'vitest'
import { type CallCheck, judgeCall } from '../../../servers/rehearsal/judge.js'
import { judgeList, judgeRelay } from '../../../servers/rehearsal/judge-exchange.js'
import { Attribution, type CallRecord } from '../../../servers/rehearsal/record.js'
import type { Arrived } from '../../../servers/rehearsal/stage/stage.js'
import type { Answer } from '../../../servers/rehearsal/via/caller.js'
import { argsHash, JournalEntry } from '../../../shared/journal/entry.js'

const ARGS = { url: 'x' }
const RESULT = { content: [{ type: 'text', text: 'done' }], structuredContent: { seq: 1 } }
const ERROR = { code: -32000, message: 'broken' }
const DENIED = { content: [{ type: 'text', text: 'no' }], isError: true }

function response(result: unknown, more: object = {}): Answer {
  return {
    kind: 'response',
    status: 200,
    headers: {},
    others: [],
    message: { jsonrpc: '2.0', id: 7, result, ...more },
  }
}

function arrival({
  tool = 'room_status',
  args = ARGS,
  caller = 'a',
  answer = {},
}: {
  tool?: string
  args?: unknown
  caller?: string
  answer?: object
} = {}): Arrived {
  const entry = new JournalEntry(
    { seq: 1, instance: 'i', atMs: 0, startedMs: 0 },
    {
      server: 'safebot',
      transport: 'http',
      session: null,
      caller,
      method: 'tools/call',
      tool,
      arguments: args,
      headers: {},
      raw: '',
    },
  )
  return { entry, answer: { jsonrpc: '2.0', id: 1, result: RESULT, ...answer } }
}

function record(more: Partial<CallRecord> = {}): CallRecord {
  return {
    call: { tool: 'room_status', args: ARGS, as: 'agent' },
    server: 'safebot',
    args: ARGS,
    argsHash: argsHash(ARGS),
    trace: null,
    expected: { outcome: 'allow' },
    id: 7,
    answer: response(RESULT),
    arrived: [arrival()],
    late: [],
    refusedBatch: false,
    ...more,
  }
}

const denied: Partial<CallRecord> = {
  expected: { outcome: 'deny', rule: 'shut' },
  answer: response(DENIED),
  arrived: [],
}
const CONTEXT = {
  namesRules: false,
  knowsCallers: true,
  credentials: new Set(['hidden-credential']),
  accounts: new Map([['agent', 'a']]),
}

function judged(more: Partial<CallRecord>, off: CallCheck[] = []): string | null {
  return judgeCall(record(more), CONTEXT, new Set(off))
}

/** The behaviour of a gateway, the check that reports it, and the words. */
const BREACHES: [does: string, check: CallCheck, record: Partial<CallRecord>, why: string][] = [
  [
    'keeps an allowed call back',
    'reach',
    { arrived: [] },
    'is allowed, but it did not reach the upstream: a result',
  ],
  [
    'forwards a call twice',
    'once',
    { arrived: [arrival(), arrival()] },
    'is one call, and reached the upstream 2 times',
  ],
  [
    'forwards a call again later',
    'once',
    { late: [arrival()] },
    'is one call, and reached the upstream 2 times',
  ],
  [
    'calls another tool',
    'tool',
    { arrived: [arrival({ tool: 'other' })] },
    'reached the upstream as a call of other',
  ],
  [
    'changes arguments',
    'arguments',
    { arrived: [arrival({ args: {} })] },
    'reached the upstream with other arguments',
  ],
  [
    'forwards a denied call',
    'denial',
    { ...denied, arrived: [arrival()] },
    'is denied by shut, but it reached the upstream',
  ],
  [
    'forwards a denied call later',
    'delay',
    { ...denied, late: [arrival()] },
    'is denied by shut, but it reached the upstream later',
  ],
  [
    'answers a denied call with a result',
    'notice',
    { ...denied, answer: response({ content: [] }) },
    'is denied by shut, but its caller got a result',
  ],
  [
    'does not answer a denied call',
    'notice',
    { ...denied, answer: { kind: 'nothing', why: 'no answer in 10 s' } },
    'is denied by shut, but its answer does not say so: no answer in 10 s',
  ],
  [
    'answers a denied call with HTTP 202 alone',
    'notice',
    { ...denied, answer: { kind: 'http', status: 202, headers: {}, text: '' } },
    'is denied by shut, but its answer does not say so: HTTP 202',
  ],
  [
    'answers a denied call with null',
    'notice',
    { ...denied, answer: response(null) },
    'is denied by shut, but its answer does not say so: no result, but null',
  ],
  ['answers under another id', 'id', { id: 8 }, 'was answered under the id 7 instead of 8'],
  [
    'answers an error of the upstream under no id',
    'id',
    {
      answer: { kind: 'response', others: [], message: { id: null, error: ERROR } },
      arrived: [arrival({ answer: { error: ERROR } })],
    },
    'was answered under the id null instead of 7',
  ],
  [
    'answers a denial under another id',
    'id',
    { ...denied, id: 8 },
    'was answered under the id 7 instead of 8',
  ],
  [
    'replaces a result',
    'answer',
    { answer: response({ ...RESULT, content: [] }) },
    "reached the upstream, and its caller got a different result than the upstream's: content differs",
  ],
  [
    'drops structuredContent',
    'answer',
    { answer: response({ content: RESULT.content }) },
    "reached the upstream, and its caller got a different result than the upstream's: structuredContent differs",
  ],
  [
    'adds to a result',
    'answer',
    { answer: response({ ...RESULT, _meta: {} }) },
    "reached the upstream, and its caller got a different result than the upstream's: _meta differs",
  ],
  [
    'adds a name of the protocol to _meta',
    'answer',
    { answer: response({ ...RESULT, _meta: { 'io.modelcontextprotocol/subscriptionId': 1 } }) },
    "reached the upstream, and its caller got a different result than the upstream's: _meta differs",
  ],
  [
    'says that an allowed call was denied',
    'answer',
    { answer: response(DENIED) },
    "reached the upstream, and its caller got a different result than the upstream's: content, structuredContent, isError differ",
  ],
  [
    'answers with HTTP 500',
    'answer',
    { answer: { kind: 'http', status: 500, headers: {}, text: '' } },
    'reached the upstream, and its caller got HTTP 500',
  ],
  [
    'does not answer',
    'answer',
    { answer: { kind: 'nothing', why: 'no answer in 10 s' } },
    'reached the upstream, and its caller got no answer: no answer in 10 s',
  ],
  [
    'makes a result of an error',
    'answer',
    { arrived: [arrival({ answer: { error: { code: 1, message: 'm' } } })] },
    "reached the upstream, and its caller got a result instead of the upstream's JSON-RPC error",
  ],
  [
    'makes a result of a failure',
    'answer',
    { call: { tool: 'room_status', args: ARGS, as: 'agent', failure: 'http_error' } },
    'failed at the upstream, and its caller got a result',
  ],
  [
    'answers a result with HTTP 500',
    'status',
    { answer: { ...response(RESULT), status: 500 } as Answer },
    'was answered with a result and HTTP 500',
  ],
  [
    "passes its caller's bearer on",
    'credential',
    refused(
      'list_resources failed: the token is not valid. This world has no such account, or the token has expired: set INSTANODE_TOKEN',
    ),
    'reached the upstream with a credential that it refuses: the token is not valid',
  ],
  [
    'brings no credential',
    'credential',
    refused('this tool needs an account: set INSTANODE_TOKEN'),
    'reached the upstream without a credential: this tool needs an account',
  ],
  [
    'shows the credential in a header',
    'secrecy',
    { answer: { ...response(RESULT), headers: { 'x-upstream': 'Bearer hidden-credential' } } as Answer },
    "showed its caller the upstream's credential",
  ],
  [
    'shows the credential in a denial',
    'secrecy',
    { ...denied, answer: response({ ...DENIED, _meta: { token: 'hidden-credential' } }) },
    "showed its caller the upstream's credential",
  ],
  [
    'calls as another account',
    'account',
    { server: 'instanode', arrived: [arrival({ caller: 'b' })] },
    'reached the upstream as b, and earlier calls of the same caller as a',
  ],
]

function refused(text: string): Partial<CallRecord> {
  const result = { content: [{ type: 'text', text }], isError: true }
  return { answer: response(result), arrived: [arrival({ answer: { result } })] }
}

describe('the judge of calls', () => {
  it('finds no fault in a call that was answered, and in one that was denied', () => {
    expect(judged({})).toBe(null)
    expect(judged(denied)).toBe(null)
  })

  it.each(BREACHES)('finds a gateway that %s: %s', (_, check, breach, why) => {
    expect(judged(breach)).toBe(why)
    expect(judged(breach, [check])).not.toBe(why)
  })

  it('accepts any HTTP error as the denial of a malformed request, and of no other', () => {
    const answer: Answer = { kind: 'http', status: 400, headers: {}, text: 'no' }
    const call = { tool: 'room_status', args: ARGS, as: 'agent' }
    const why = 'is denied by shut, but its answer does not say so: HTTP 400'
    expect(judged({ ...denied, answer })).toBe(why)
    expect(judged({ ...denied, answer, batched: true })).toBe(null)
    expect(judged({ ...denied, answer, call: { ...call, session: 'none' } })).toBe(null)
    expect(judged({ ...denied, answer, call: { ...call, args: 'text' } })).toBe(null)
  })

  it.each<[string, Answer]>([
    ['a tool error', response(DENIED)],
    ['HTTP 403', { kind: 'http', status: 403, headers: {}, text: 'no' }],
    ['HTTP 429', { kind: 'http', status: 429, headers: {}, text: 'no' }],
    [
      'a JSON-RPC error',
      { kind: 'response', others: [], message: { id: 7, error: { code: -32003, message: 'ask' } } },
    ],
    ['input_required', response({ resultType: 'input_required', inputRequests: {} })],
  ])('accepts %s as a denial', (_, answer) => {
    expect(judged({ ...denied, answer })).toBe(null)
  })
})

describe('the _meta of a result', () => {
  const added = { 'io.example-gateway/rule': 'r1' }

  it.each([
    ['has no other members', undefined],
    ['has members of the upstream', { 'io.example-upstream/cost': 1 }],
  ])('may have further members of a gateway if it %s', (_, given) => {
    const result = { ...RESULT, ...(given && { _meta: given }) }
    const arrived = [arrival({ answer: { result } })]
    const seen = { ...RESULT, _meta: { ...given, ...added } }
    expect(judged({ arrived, answer: response(seen) })).toBe(null)
  })
})

it('accepts a result that a gateway has converted from one revision to another', () => {
  const _meta = { 'io.modelcontextprotocol/serverInfo': { name: 'safebot', version: '1' } }
  const arrived = [arrival({ answer: { result: { resultType: 'complete', ...RESULT, _meta } } })]
  expect(judged({ arrived, answer: response({ ...RESULT, isError: false }) })).toBe(null)
})

describe('the judge of lists', () => {
  const tool = (name: string, more: object = {}) => ({ name, description: 'd', inputSchema: {}, ...more })
  const listing = new Map([
    ['a', tool('a')],
    ['b', tool('b')],
    ['c', tool('c')],
  ])
  const listed = (...pages: object[][]) => {
    const answers = pages.map(tools => response({ tools }))
    return judgeList({ pages: answers, listing, hides: name => name === 'b' }, new Set())
  }

  it('accepts a list on one page or on several', () => {
    expect(listed([tool('a'), tool('c')])).toBe(null)
    expect(listed([tool('a')], [], [tool('c')])).toBe(null)
  })

  it.each([
    [[[tool('a'), tool('b'), tool('c')]], 'shows b, which is hidden'],
    [[[tool('a')], [tool('b'), tool('c')]], 'shows b, which is hidden'],
    [[[tool('a')]], 'does not show c'],
    [[[tool('a'), tool('c'), tool('d')]], 'shows d, which the upstream does not have'],
    [[[tool('a'), tool('c'), tool('c')]], 'shows c twice'],
    [[[tool('a', { description: '' }), tool('c')]], 'changes description of a'],
    [[[{ name: 'a', description: 'd' }, tool('c')]], 'changes inputSchema of a'],
  ])('finds %j', (pages, why) => {
    expect(listed(...pages)).toBe(why)
  })
})

describe('the judge of notifications', () => {
  it.each([
    [{ uninitialized: 0, cancelled: true, progress: true }, null],
    [{ uninitialized: 0, cancelled: null, progress: null }, null],
    [
      { uninitialized: 1, cancelled: null, progress: null },
      'the upstream got calls in a session that had no notifications/initialized',
    ],
    [
      { uninitialized: 0, cancelled: false, progress: true },
      'a caller cancelled its call, and the call continued at the upstream',
    ],
    [
      { uninitialized: 0, cancelled: true, progress: false },
      'the upstream reported progress, and the caller did not get it',
    ],
  ])('%j: %s', (relayed, why) => {
    expect(judgeRelay(relayed, new Set())).toBe(why)
  })
})

describe('requests at the upstream', () => {
  it('belong to the call that was open, whatever its result', () => {
    const call = record({ arrived: [] })
    const changed = arrival({ tool: 'other' })
    new Attribution().take([call], [changed])
    expect(call.arrived).toEqual([changed])
  })

  it('belong to an earlier call of the same tool and arguments if they come late', () => {
    const attribution = new Attribution()
    const early = record({ ...denied, arrived: [] })
    attribution.take([early], [])
    const late = arrival()
    attribution.take([record({ arrived: [], argsHash: 'another' })], [late])
    expect(early.late).toEqual([late])
    expect(attribution.finish([arrival()])).toEqual([])
    expect(early.late).toHaveLength(2)
  })

  it('belong one each to identical calls', () => {
    const calls = [record({ arrived: [] }), record({ arrived: [] })]
    new Attribution().take(calls, [arrival(), arrival()])
    expect(calls.map(({ arrived }) => arrived.length)).toEqual([1, 1])
  })

  it('belong to no call if none was like them', () => {
    const stray = arrival()
    const attribution = new Attribution()
    attribution.take([], [stray])
    expect(attribution.finish([])).toEqual([stray])
  })
})
