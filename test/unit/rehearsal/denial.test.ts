import { describe, expect, it } from 'vitest'
import { type Denial, denialIn, formOf } from '../../../servers/rehearsal/denial.js'
import type { Answer } from '../../../servers/rehearsal/via/caller.js'

const http = (status: number, text: string): Answer => ({ kind: 'http', status, headers: {}, text })

const response = (message: object, status = 200): Answer => ({
  kind: 'response',
  status,
  headers: {},
  others: [],
  message: { jsonrpc: '2.0', id: 7, ...message },
})

const FORMS: [form: string, answer: Answer, denial: Partial<Denial>][] = [
  [
    'a tool error',
    response({
      result: { isError: true, content: [{ type: 'text', text: '[POLICY DENIED] not\n for you' }] },
    }),
    { form: 'tool_error', text: '[POLICY DENIED] not for you' },
  ],
  ['HTTP 401', http(401, 'who are you?'), { form: 'http_error', status: 401, text: 'who are you?' }],
  ['HTTP 403', http(403, 'forbidden'), { form: 'http_error', status: 403, text: 'forbidden' }],
  ['HTTP 429', http(429, ''), { form: 'http_error', status: 429, text: '' }],
  ...[-32003, -32602, 403, 429].map((code): [string, Answer, Partial<Denial>] => [
    `JSON-RPC error ${code}`,
    response({ error: { code, message: 'no' } }),
    { form: 'rpc_error', code, text: 'no' },
  ]),
  [
    'JSON-RPC error 403 with HTTP 403',
    response({ error: { code: 403, message: 'no' } }, 403),
    { form: 'rpc_error', status: 403, code: 403 },
  ],
  [
    'input_required',
    response({
      result: {
        resultType: 'input_required',
        inputRequests: { ask: { method: 'elicitation/create', params: { message: 'Approve?' } } },
      },
    }),
    { form: 'input_required', text: 'Approve?' },
  ],
]

describe('a denial', () => {
  it.each(FORMS)('has the form of %s', (form, answer, denial) => {
    const found = denialIn(answer)
    expect(found).toMatchObject(denial)
    expect(found && formOf(found)).toBe(form)
  })

  it.each<[string, Answer]>([
    ['a result', response({ result: { content: [] } })],
    ['HTTP 500', http(500, 'oops')],
    ['HTTP 404', http(404, 'not found')],
    ['HTTP 202 without an answer', http(202, '')],
    ['no answer', { kind: 'nothing', why: 'no answer in 10 s' }],
  ])('is not %s', (_, answer) => {
    expect(denialIn(answer)).toBe(undefined)
  })

  it('quotes no more than 200 characters', () => {
    expect(denialIn(http(403, 'x'.repeat(500)))?.text).toHaveLength(201)
  })
})
