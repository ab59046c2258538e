import { describe, expect, it } from 'vitest'
import { explainPolicy } from '../../../../servers/gateway/policy/explain.js'
import { readPolicy } from '../../../../servers/gateway/policy/read-policy.js'
import { reviewPolicy } from '../../../../servers/gateway/policy/review.js'
import { intercept, policyLayer } from '../../../support/gateway/policy.js'

const warnings = (text: string, file = 'p.yaml') =>
  reviewPolicy(readPolicy(text, file))
    .filter(({ level }) => level === 'warning')
    .map(({ code, tool }) => (tool === undefined ? code : `${code} ${tool}`))
const notes = (text: string, file = 'p.yaml') =>
  reviewPolicy(readPolicy(text, file))
    .filter(({ level }) => level === 'note')
    .map(({ code }) => code)
const limit = (rate: string) => ({ name: rate, rate_limit: rate })
const condition = (path: string, op: string, value: unknown) => ({
  name: `${path} ${op} ${value}`,
  conditions: [{ path, op, value }],
})

describe('a review warns of', () => {
  it.each<[string, string, string[]]>([
    ['nothing', intercept({ list_resources: [] }), []],
    ['a tool of neither server', intercept({ clain_token: [] }), ['unknown_tool clain_token']],
    [
      'reads that are none',
      intercept({ get_api_token: [], claim_task: [], next_task: [], ack_task: [] }),
      [
        'read_that_writes get_api_token',
        'read_that_writes next_task',
        'read_that_writes claim_task',
        'read_that_writes ack_task',
      ],
    ],
    ['not those with a limit', intercept({ get_api_token: [limit('1/day')] }), []],
    [
      'tools left open',
      intercept({ list_resources: [], get_api_token: [{ name: 'n', action: 'deny' }] }, { default: 'allow' }),
      ['tools_left_open'],
    ],
    [
      'rules of a hidden tool',
      intercept({ claim_token: [limit('5/hour')] }, { hide: ['claim_token'] }),
      ['hidden_rules claim_token'],
    ],
    [
      'rules for every tool where none is let through',
      intercept({ '*': [limit('5/hour')] }),
      ['nothing_allowed'],
    ],
    [
      'an optional argument made mandatory',
      intercept({ wait_for_messages: [condition('args.timeout_seconds', 'lte', 30)] }),
      ['optional_made_mandatory wait_for_messages'],
    ],
    ['not by exists', intercept({ create_room: [condition('args.base', 'exists', false)] }), []],
    [
      'an argument that the tool has not',
      intercept({ claim_token: [condition('args.tokn', 'eq', 'x')] }),
      ['unknown_argument claim_token'],
    ],
    [
      'a limit that is never reached',
      intercept({ claim_token: [limit('30/minute'), limit('10/hour')] }),
      ['limit_never_reached claim_token'],
    ],
    ['not one that is', intercept({ claim_token: [limit('5/minute'), limit('10/hour')] }), []],
    [
      'bounds with nothing between them',
      intercept({ ack_task: [condition('args.seq', 'gt', 5), condition('args.seq', 'lt', 5)] }),
      [],
    ],
    [
      'and less than nothing',
      intercept({ ack_task: [condition('args.seq', 'gte', 6), condition('args.seq', 'lte', 5)] }),
      ['contradiction ack_task'],
    ],
    [
      'two values for one argument',
      intercept({ claim_token: [condition('args.token', 'eq', 'a'), condition('args.token', 'eq', 'b')] }),
      ['contradiction claim_token'],
    ],
    [
      'rules behind one that denies every call',
      intercept({ claim_token: [{ name: 'shut', action: 'deny' }, limit('5/hour')] }),
      ['rules_behind_deny claim_token'],
    ],
    [
      'not those before it',
      intercept({ claim_token: [limit('5/hour'), { name: 'shut', action: 'deny' }] }),
      [],
    ],
    [
      'a bound on a text',
      intercept({ claim_token: [condition('args.token', 'lte', 30)] }),
      ['compares_text claim_token'],
    ],
    ['not on a number', intercept({ ack_task: [condition('args.seq', 'lte', 30)] }), []],
    [
      'a pattern without anchors, of any tool',
      intercept({ x_tool: [condition('args.name', 'regex', 'main')] }),
      ['unknown_tool x_tool', 'unanchored x_tool'],
    ],
    [
      'brackets in a path',
      intercept({ x_tool: [condition('args.list[0]', 'eq', 'a')] }),
      ['odd_path', 'unknown_tool x_tool'],
    ],
  ])('%s', (_, text, expected) => {
    expect(warnings(text)).toEqual(expected)
  })

  it('a tool name that was probably meant to be another', () => {
    const [first] = reviewPolicy(readPolicy(intercept({ clain_token: [] }), 'p.yaml'))
    expect(first?.message).toBe(
      'clain_token is not a tool of Instanode or Safebot; claim_token is probably meant',
    )
  })
})

describe('a review notes', () => {
  it('secrets that pass, until the tool is hidden or denied', () => {
    expect(notes(intercept({ create_postgres: [] }))).toContain('secret')
    expect(notes(intercept({}, { hide: ['create_postgres'] }))).not.toContain('secret')
  })

  it('limits above what the service gives in a day', () => {
    expect(notes(intercept({ create_postgres: [limit('30/minute')] }))).toContain('above_daily_cap')
    expect(notes(intercept({ create_postgres: [limit('5/day')] }))).not.toContain('above_daily_cap')
  })

  it('defects of the product that affect the policy', () => {
    const plain = ['non_object_arguments', 'batches', 'reload']
    expect(notes(intercept({ room_status: [{ name: 'n', action: 'deny' }] }))).toEqual(plain)
    expect(notes(intercept({}, { hide: ['x'] }))).toContain('gzip')
    const spends = {
      name: 'n',
      conditions: [{ path: 'state.ack_task.c', op: 'lte', value: 9 }],
      state: { counter: 'c', window: 'day', increment_from: 'args.seq' },
    }
    expect(notes(intercept({ ack_task: [spends] }))).toEqual(
      expect.arrayContaining(['negative_amounts', 'late_refund', 'shared_counters', 'fixed_windows']),
    )
    expect(notes(policyLayer({}), 'p.json')).toEqual([])
  })

  it('patterns that match anywhere, and denials that a missing argument avoids', () => {
    const pattern = (value: string) => intercept({ claim_token: [condition('args.token', 'regex', value)] })
    expect(warnings(pattern('[0-9a-f-]{36}'))).toEqual(['unanchored claim_token'])
    expect(notes(pattern('^[0-9a-f-]{36}'))).toContain('unanchored')
    expect(notes(pattern('[0-9a-f-]{36}$'))).toContain('unanchored')
    expect(notes(pattern('^[0-9a-f-]{36}$'))).not.toContain('unanchored')
    const denyIf = [{ conditions: [{ path: 'args.base', op: 'neq', value: 'x' }] }]
    expect(notes(policyLayer({ create_room: { deny_if: denyIf } }), 'p.json')).toContain('passes_without')
  })
})

describe('the explanation of a policy', () => {
  const meanings = (text: string, file = 'p.yaml') =>
    Object.fromEntries(
      explainPolicy(readPolicy(text, file).policy).map(({ tool, verdict, words }) => [
        tool,
        [verdict, words],
      ]),
    )

  it('has all tools of the servers that the policy concerns', () => {
    expect(Object.keys(meanings(intercept({ claim_token: [], other: [] })))).toEqual([
      'create_postgres',
      'create_webhook',
      'list_resources',
      'claim_token',
      'delete_resource',
      'get_api_token',
      'other',
    ])
    expect(Object.keys(meanings(intercept({})))).toHaveLength(14)
  })

  it('is in words', () => {
    const tools = {
      list_resources: {},
      create_postgres: {
        require: [{ conditions: [{ path: 'args.name', op: 'regex', value: '^x$' }] }],
        deny_if: [{ conditions: [{ path: 'args.name', op: 'eq', value: 'x' }] }],
        limits: [{ counter: 'c', window: 'hour', max: 3, scope: 'grant' }],
      },
      claim_token: { deny_if: [{ conditions: [] }] },
      get_api_token: { approve: true },
    }
    expect(meanings(policyLayer(tools, { hide: ['delete_resource'] }), 'p.json')).toEqual({
      create_postgres: [
        'conditional',
        'only if args.name matches "^x$"; not if args.name is "x"; at most 3 an hour, for each grant',
      ],
      create_webhook: ['denied', 'not named, and the default is deny'],
      list_resources: ['allowed', 'every call'],
      claim_token: ['denied', 'every call is denied'],
      delete_resource: ['hidden', 'left out of the list of tools, and denied'],
      get_api_token: ['approval', 'each call needs approval'],
    })
  })

  it('has windows without a name, amounts, and limits for all tools', () => {
    const page = 'tools: { claim_task: { rules: [{ rate_limit: { max: 2, window: 90 } }] } }'
    expect(meanings(page).claim_task).toEqual(['limited', 'at most 2 in 90 seconds, for each grant'])
    const spends = {
      name: 'n',
      conditions: [{ path: 'state.ack_task.c', op: 'lte', value: 9 }],
      state: { counter: 'c', window: 'day', increment_from: 'args.seq' },
    }
    expect(meanings(intercept({ ack_task: [spends], '*': [limit('60/minute')] })).ack_task).toEqual([
      'limited',
      'at most 9 a day, in args.seq; at most 60 a minute over all tools',
    ])
  })
})
