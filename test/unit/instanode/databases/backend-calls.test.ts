import { fc, test } from '@fast-check/vitest'
import { describe, expect, it } from 'vitest'
import { answerBackendCalls } from '../../../../servers/instanode/databases/embedded/session/backend-calls.js'
import { Statements } from '../../../../servers/instanode/databases/embedded/session/statements.js'
import { type Frame, frame, int32 } from '../../../../servers/instanode/databases/embedded/wire/frames.js'

const message = (type: string, ...parts: (string | Buffer)[]): Frame => ({
  type,
  bytes: frame(type, ...parts),
})
const sync = message('S')
const cancel = (name = '') => message('P', name, 'SELECT pg_cancel_backend($1)', Buffer.alloc(2))
/** A Bind of one parameter. */
const bind = (value: Buffer, binary: boolean) =>
  message(
    'B',
    '',
    '',
    Buffer.from([0, 1, 0, binary ? 1 : 0, 0, 1]),
    int32(value.length),
    value,
    Buffer.alloc(2),
  )
const execute = message('E', '', int32(0))

/** @returns the answer in Latin-1, and the process ids that were signalled */
function answered(
  batch: Frame[],
  context: { statements?: Statements; status: string | undefined } = { status: 'I' },
) {
  const signalled: number[] = []
  const answer = answerBackendCalls(batch, {
    statements: new Statements('me_'),
    ...context,
    pid: 7,
    signal: pid => signalled.push(pid) > 0,
  })
  return { answer: answer?.toString('latin1'), signalled }
}

describe('calls that name a connection', () => {
  it.each([
    ['text', Buffer.from('1234'), false],
    ['int2', Buffer.from([4, 210]), true],
    ['int4', int32(1234), true],
    ['int8', Buffer.concat([int32(0), int32(1234)]), true],
  ])('take the process id as %s', (_type, value, binary) => {
    expect(answered([cancel(), bind(value, binary), execute, sync]).signalled).toEqual([1234])
  })

  it.each([
    ['another statement', message('Q', 'SELECT 1')],
    ['two statements', message('Q', 'SELECT pg_backend_pid(); SELECT 1')],
    ['a call within a statement', message('Q', 'SELECT pg_cancel_backend(pid) FROM pg_stat_activity')],
    ['a call without its argument', message('Q', 'SELECT pg_cancel_backend()')],
    ['a parameter in a simple query', message('Q', 'SELECT pg_cancel_backend($1)')],
    ['a Sync', sync],
    ['an Execute of a portal of the engine’s', execute],
    ['a message that ends too soon', message('B', Buffer.alloc(1))],
  ])('leave %s to the engine', (_what, frame) => {
    expect(answered([frame]).answer).toBeUndefined()
  })

  it('leave a batch with another statement to the engine, and signal nothing', () => {
    const other = message('P', 'other', 'SELECT 1', Buffer.alloc(2))
    const batch = [cancel(), bind(int32(1234), true), execute, other, sync]
    expect(answered(batch)).toEqual({ answer: undefined, signalled: [] })
  })

  it.each(['E', undefined])('leave the batch to the engine in a transaction of status %s', status => {
    expect(answered([message('Q', 'SELECT pg_backend_pid()')], { status }).answer).toBeUndefined()
  })

  it('keep their prepared statements for a batch that the engine answers', () => {
    const statements = new Statements('me_')
    answered([cancel('s'), sync], { statements, status: 'I' })
    expect(statements.rewrite([message('B', '', 's', Buffer.alloc(6)), sync]).restored).toEqual(['s'])
  })

  test.prop([fc.constantFrom('P', 'B', 'D', 'E', 'Q'), fc.uint8Array({ maxLength: 40 })])(
    'read or refuse any message',
    (type, body) => {
      answered([cancel(), message(type, Buffer.from(body)), sync])
    },
  )
})
