import { describe, expect, it } from 'vitest'
import type { FaultAction } from '../../../shared/faults/fault.js'
import { type Answer, callEcho, messageOf, WAYS, type Way } from '../../support/clients/faulty-answer.js'
import { HttpStream } from '../../support/clients/http-stream.js'
import { openSession, rpc, send } from '../../support/clients/raw-http.js'
import { PATIENT } from '../../support/run/run-options.js'
import { startToyServer, type ToyServer } from '../../support/servers/toy-server.js'
import { call, startUnderstudy, textOf } from '../../support/servers/understudy.js'

/** A server on which the next call of `echo` meets a fault. */
async function faulty(action: FaultAction): Promise<ToyServer> {
  const toy = await startToyServer()
  toy.instance.faults.set([{ server: 'toy', tool: 'echo', when: { nth: 1 }, do: action }])
  return toy
}

/** How the calls of `echo` ended, as the journal has it. */
const outcomes = (toy: ToyServer) =>
  toy.instance.journal.entries({ tool: 'echo' }).map(({ outcome }) => outcome)

const parsed = (answer: Answer) => JSON.parse(messageOf(answer) ?? 'null')

const ECHOED = { jsonrpc: '2.0', id: 1, result: { structuredContent: { text: 'hello' } } }
const CUT = { cut: true, text: '' }
const NOT_JSON = (answer: Answer) => expect([messageOf(answer), answer.cut]).toEqual([undefined, false])

/** The expected answer on each transport, and whether the tool ran. */
const MATRIX: [FaultAction, boolean, Record<Way, (answer: Answer) => void>][] = [
  [
    { toolError: 'no disk' },
    false,
    everyWay(answer => {
      expect(parsed(answer)).toMatchObject({
        id: 1,
        result: { isError: true, content: [{ text: 'no disk' }] },
      })
    }),
  ],
  [
    { rpcError: { code: -32050, message: 'not now' } },
    false,
    everyWay(answer => {
      expect(parsed(answer)).toEqual({ jsonrpc: '2.0', id: 1, error: { code: -32050, message: 'not now' } })
    }),
  ],
  [
    { httpStatus: 503, body: { error: 'busy' } },
    false,
    {
      stdio: answer =>
        expect(parsed(answer)).toMatchObject({
          error: { code: -32000, message: 'HTTP 503: {"error":"busy"}' },
        }),
      'HTTP JSON': isBusy,
      'HTTP SSE': isBusy,
    },
  ],
  [{ drop: 'before' }, false, everyWay(answer => expect(answer).toMatchObject(CUT))],
  [{ drop: 'after' }, true, everyWay(answer => expect(answer).toMatchObject(CUT))],
  [{ crash: true }, false, everyWay(answer => expect(answer).toMatchObject(CUT))],
  ...[65_535, 65_536, 65_537, 1024 * 1024].map((bytes): (typeof MATRIX)[number] => [
    { bytes },
    true,
    everyWay(answer => {
      expect(Buffer.byteLength(messageOf(answer) ?? '')).toBe(bytes)
      expect(parsed(answer)).toMatchObject(ECHOED)
    }),
  ]),
  [
    { malformed: 'json' },
    true,
    {
      stdio: NOT_JSON,
      'HTTP JSON': answer => {
        NOT_JSON(answer)
        expect(answer.headers['content-type']).toBe('application/json')
      },
      'HTTP SSE': answer => {
        NOT_JSON(answer)
        expect(answer.text).toMatch(/^event: message\ndata: .*\n\n$/)
      },
    },
  ],
  [
    { malformed: 'sse' },
    true,
    {
      stdio: answer => expect(answer.text.trim().split('\n')).toHaveLength(2),
      'HTTP JSON': answer => {
        expect(answer.headers['content-type']).toBe('application/json')
        expect(answer.text).toMatch(/^event: /)
      },
      'HTTP SSE': answer => {
        NOT_JSON(answer)
        expect(answer.text).toMatch(/^event: message\ndata: [^\n]*\n[^\n]*\n\n$/)
      },
    },
  ],
  [
    { malformed: 'truncated' },
    true,
    {
      stdio: isHalf,
      'HTTP JSON': answer => {
        isHalf(answer)
        expect(Number(answer.headers['content-length'])).toBeGreaterThan(answer.text.length)
      },
      'HTTP SSE': isHalf,
    },
  ],
  [
    { gzip: true },
    true,
    {
      stdio: answer => expect([answer.compressed, parsed(answer)]).toMatchObject([true, ECHOED]),
      'HTTP JSON': isCompressed,
      'HTTP SSE': isCompressed,
    },
  ],
]

function everyWay(expectation: (answer: Answer) => void): Record<Way, (answer: Answer) => void> {
  return { stdio: expectation, 'HTTP JSON': expectation, 'HTTP SSE': expectation }
}

function isBusy({ status, text, headers }: Answer): void {
  expect([status, text, headers['content-type']]).toEqual([503, '{"error":"busy"}', 'application/json'])
}

function isHalf(answer: Answer): void {
  expect(answer.cut).toBe(true)
  expect(answer.text).toContain('"jsonrpc":"2.0"')
  expect(messageOf(answer)).toBeUndefined()
}

function isCompressed(answer: Answer): void {
  expect(answer.headers['content-encoding']).toBe('gzip')
  expect([answer.compressed, parsed(answer)]).toMatchObject([true, ECHOED])
}

describe.each(MATRIX)('%j', (action, runs, seen) => {
  it.each(WAYS)('over %s', async way => {
    const toy = await faulty(action)
    const answer = await callEcho(toy, way)
    seen[way](answer)
    expect(toy.events.includes('echoed hello')).toBe(runs)
    expect(outcomes(toy)).toEqual(['fault'])
    expect(toy.instance.faults.list()).toMatchObject([{ hits: 1 }])
  })
})

describe.each(WAYS)('over %s', way => {
  it('without a fault, all of the above would fail', async () => {
    const toy = await startToyServer()
    const answer = await callEcho(toy, way)
    expect(parsed(answer)).toMatchObject(ECHOED)
    expect([answer.cut, answer.compressed, outcomes(toy)]).toEqual([false, false, ['ok']])
  })

  it('a delay is on the instance’s clock, and comes before the effect', async () => {
    const toy = await faulty({ delayMs: 5000 })
    const answer = callEcho(toy, way)
    await toy.instance.clock.whenPending(1)
    await toy.instance.clock.advance(4999)
    expect(toy.events).toEqual([])
    await toy.instance.clock.advance(1)
    expect(parsed(await answer)).toMatchObject(ECHOED)
    expect(outcomes(toy)).toEqual(['fault'])
  })
})

describe('a call that hangs', () => {
  const hanging = rpc('tools/call', { name: 'echo', arguments: { text: 'x' } }, 7)

  it('ends as aborted when its caller cancels it, and has no effect', async () => {
    const toy = await faulty({ hang: true })
    const headers = { 'mcp-session-id': await openSession(toy.url) }
    const answer = send(toy.url, { body: hanging, headers })
    await toy.instance.journal.waitFor({ tool: 'echo' }, PATIENT)
    const params = { requestId: 7 }
    await send(toy.url, { body: { jsonrpc: '2.0', method: 'notifications/cancelled', params }, headers })
    expect((await answer).status).toBe(202)
    expect([outcomes(toy), toy.events]).toEqual([['aborted'], []])
  })

  it('ends as aborted when its caller hangs up', async () => {
    const toy = await faulty({ hang: true })
    const stream = await HttpStream.open(toy.url, 'POST', { accept: 'text/event-stream' }, hanging)
    stream.drop()
    await toy.instance.journal.waitFor({ tool: 'echo', outcome: 'aborted' }, PATIENT)
    expect(toy.events).toEqual([])
  })

  it('ends as aborted when the server is closed, without an answer on a pipe', async () => {
    const toy = await faulty({ hang: true })
    const { input, output } = toy.pipe()
    input.write(`${JSON.stringify(hanging)}\n`)
    await toy.instance.journal.waitFor({ tool: 'echo' }, PATIENT)
    await toy.host.close()
    expect([outcomes(toy), output.read()]).toEqual([['aborted'], null])
  })

  it('that is delayed and cancelled leaves nothing on the clock', async () => {
    const toy = await faulty({ delayMs: 5000 })
    const stream = await HttpStream.open(toy.url, 'POST', { accept: 'text/event-stream' }, hanging)
    await toy.instance.clock.whenPending(1)
    stream.drop()
    await toy.instance.journal.waitFor({ tool: 'echo', outcome: 'aborted' }, PATIENT)
    expect(toy.instance.clock.pending).toBe(0)
  })
})

describe('after a crash', () => {
  it('answers no further request, and aborts the open ones', async () => {
    const toy = await faulty({ crash: true })
    const parked = HttpStream.open(
      toy.url,
      'POST',
      {},
      rpc('tools/call', { name: 'park', arguments: { as: 'a' } }),
    )
    const dropped = expect(parked).rejects.toMatchObject({ code: 'ECONNRESET' })
    const client = await toy.connect()
    await toy.happened('a parked')
    await callEcho(toy, 'HTTP JSON')
    await dropped
    expect(toy.instance.journal.entries({ tool: 'park' })).toMatchObject([{ outcome: 'aborted' }])
    await expect(send(toy.url, { body: rpc('ping') })).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await expect(client.ping()).rejects.toThrow('Not connected')
  })
})

it('a crash ends one server: the other continues, and the instance can be closed', async () => {
  const { faults, safebot, instanode, close } = await startUnderstudy()
  faults.set([{ server: 'safebot', tool: '*', when: { always: true }, do: { crash: true } }])
  const agent = await safebot.connect()
  await expect(call(agent, 'create_room')).rejects.toThrow('Connection closed')
  await expect(send(safebot.mcpUrl, { body: rpc('ping') })).rejects.toThrow('ECONNREFUSED')
  expect((await send(instanode.mcpUrl, { body: rpc('ping') })).status).toBe(200)
  await close()
})

describe('in memory, where no bytes are sent', () => {
  it.each([
    [{ toolError: 'no' }, 'no'],
    [{ bytes: 65_536 }, 'hello.....'],
  ] as const)('%j has no effect', async (action, text) => {
    const toy = await faulty(action)
    expect(textOf(await call(await toy.connect(), 'echo', { text: 'hello' }))).toContain(text)
  })

  it.each([
    [{ httpStatus: 503 }, 'HTTP 503'],
    [{ malformed: 'json' }, 'corrupted in transit (json)'],
    [{ malformed: 'sse' }, 'corrupted in transit (sse)'],
    [{ gzip: true }, 'corrupted in transit (gzip)'],
    [{ malformed: 'truncated' }, 'Connection closed'],
    [{ drop: 'before' }, 'Connection closed'],
    [{ drop: 'after' }, 'Connection closed'],
    [{ crash: true }, 'Connection closed'],
  ] as const)('%j fails the call', async (action, why) => {
    const toy = await faulty(action)
    await expect(call(await toy.connect(), 'echo', { text: 'hello' })).rejects.toThrow(why)
    expect(outcomes(toy)).toEqual(['fault'])
  })
})

describe('a cut connection', () => {
  it('does not affect other connections over HTTP, and ends the conversation on a pipe', async () => {
    const toy = await faulty({ drop: 'after' })
    await callEcho(toy, 'HTTP JSON')
    expect(parsed(await callEcho(toy, 'HTTP JSON', 'hello'))).toMatchObject(ECHOED)
    toy.instance.faults.set([{ server: 'toy', tool: 'echo', when: { always: true }, do: { drop: 'after' } }])
    await callEcho(toy, 'stdio')
    await toy.happened('piped ended')
  })
})

it('a fault in a batch corrupts the body of the whole batch', async () => {
  const toy = await faulty({ malformed: 'json' })
  const batch = ['a', 'b'].map(id => rpc('tools/call', { name: 'echo', arguments: { text: id } }, id))
  const { json, body } = await send(toy.url, { body: batch })
  expect([json, body.slice(0, 2)]).toEqual([undefined, '{['])
  expect(outcomes(toy)).toEqual(['fault', 'ok'])
})

it('a batch on a pipe is one line, and is corrupted as one', async () => {
  const toy = await faulty({ malformed: 'sse' })
  const { input, output } = toy.pipe()
  const batch = ['a', 'b'].map(id => rpc('tools/call', { name: 'echo', arguments: { text: id } }, id))
  input.write(`${JSON.stringify(batch)}\n`)
  await toy.instance.journal.waitFor({ outcome: 'ok' }, PATIENT)
  await new Promise(setImmediate)
  const lines = String(output.read()).trim().split('\n')
  expect(lines).toHaveLength(2)
  const answers: { id: string }[] = JSON.parse(lines.join(''))
  expect(answers.map(({ id }) => id).sort()).toEqual(['a', 'b'])
})

it('a batch on a stream loses its last event', async () => {
  const toy = await faulty({ malformed: 'truncated' })
  const batch = ['a', 'b'].map(id => rpc('tools/call', { name: 'echo', arguments: { text: id } }, id))
  const stream = await HttpStream.open(toy.url, 'POST', { accept: 'text/event-stream' }, batch)
  await stream.ended
  const [first, second, ...more] = stream.text.split('\n\n')
  expect([first, second]).toEqual([expect.stringMatching(/"\}+$/), expect.not.stringMatching(/\}$/)])
  expect(more).toEqual([])
  expect(stream.response.complete).toBe(false)
})

it('an answer larger than the requested size is replaced by one that fits', async () => {
  const toy = await faulty({ bytes: 128 })
  const answer = await callEcho(toy, 'HTTP JSON', 'x'.repeat(500))
  expect(answer.text).toHaveLength(128)
  expect(parsed(answer)).toMatchObject({
    result: { isError: true, content: [{ text: expect.stringMatching(/^\.+$/) }] },
  })
})
