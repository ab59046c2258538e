import { request as httpRequest } from 'node:http'
import { describe, expect, it } from 'vitest'
import { HttpStream } from '../../support/clients/http-stream.js'
import { BOTH, eventsOf, openSession, rpc, send } from '../../support/clients/raw-http.js'
import { startToyServer } from '../../support/servers/toy-server.js'

const park = (as: string, id: unknown = 1, _meta?: object) =>
  rpc('tools/call', { name: 'park', arguments: { as }, ...(_meta && { _meta }) }, id)

const cancel = (requestId: unknown) => ({
  jsonrpc: '2.0',
  method: 'notifications/cancelled',
  params: { requestId, reason: 'no longer wanted' },
})

/** A POST whose answer may never come: the connection can be dropped meanwhile. */
function post(url: string, body: unknown, headers: Record<string, string> = {}) {
  const request = httpRequest(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: BOTH, ...headers },
  })
  request.on('error', () => undefined)
  request.end(JSON.stringify(body))
  return request
}

describe('a blocked call', () => {
  it('is aborted when its caller without a session hangs up, and the journal records it', async () => {
    const toy = await startToyServer()
    const request = post(toy.url, park('a'))
    await toy.happened('a parked')
    request.destroy()
    await toy.happened('a aborted: the caller hung up')
    expect(toy.instance.journal.entries({ tool: 'park' })).toMatchObject([{ outcome: 'aborted' }])
  })

  it('is aborted when its connection drops, and other calls of the session continue', async () => {
    const toy = await startToyServer()
    const headers = { 'mcp-session-id': await openSession(toy.url) }
    const request = post(toy.url, park('a', 1), headers)
    const other = post(toy.url, park('b', 2), headers)
    await Promise.all([toy.happened('a parked'), toy.happened('b parked')])
    request.destroy()
    await toy.happened('a aborted: the caller hung up')
    expect(toy.events).not.toContain('b aborted: the caller hung up')
    other.destroy()
  })

  it.each([0, 1, 'one'])(
    'is cancelled by a notification in its session, and its POST ends (id %j)',
    async id => {
      const toy = await startToyServer()
      const headers = { 'mcp-session-id': await openSession(toy.url) }
      const answer = send(toy.url, { body: park('a', id), headers })
      await toy.happened('a parked')
      expect((await send(toy.url, { body: cancel(id), headers })).status).toBe(202)
      await toy.happened('a aborted: no longer wanted')
      expect(await answer).toMatchObject({ status: 202, body: '' })
    },
  )

  it('that streams ends its stream without an answer when it is cancelled', async () => {
    const toy = await startToyServer()
    const headers = { 'mcp-session-id': await openSession(toy.url) }
    const stream = await HttpStream.open(toy.url, 'POST', headers, park('a', 1, { progressToken: 'p' }))
    await stream.has('notifications/progress')
    await send(toy.url, { body: cancel(1), headers })
    await stream.ended
    expect(eventsOf(stream.text)).toMatchObject([{ method: 'notifications/progress' }])
  })

  it('is not cancelled from another session, nor by a caller without one', async () => {
    const toy = await startToyServer()
    const mine = { 'mcp-session-id': await openSession(toy.url) }
    const other = { 'mcp-session-id': await openSession(toy.url) }
    const request = post(toy.url, park('a', 1), mine)
    await toy.happened('a parked')
    await send(toy.url, { body: cancel(1), headers: other })
    await send(toy.url, { body: cancel(1) })
    expect(toy.events).toEqual(['a parked'])
    request.destroy()
  })

  it('is aborted when its session is deleted, and its POST ends', async () => {
    const toy = await startToyServer()
    const headers = { 'mcp-session-id': await openSession(toy.url) }
    const answer = send(toy.url, { body: park('a'), headers })
    await toy.happened('a parked')
    await send(toy.url, { method: 'DELETE', headers })
    await toy.happened('a aborted: the session was ended')
    expect((await answer).status).toBe(202)
  })

  it('leaves its id free to be used again, and refuses it while in use', async () => {
    const toy = await startToyServer()
    const headers = { 'mcp-session-id': await openSession(toy.url) }
    const answer = send(toy.url, { body: park('a', 7), headers })
    await toy.happened('a parked')
    const clash = await send(toy.url, { body: rpc('ping', undefined, 7), headers })
    expect([clash.status, clash.json]).toMatchObject([
      400,
      { error: { message: expect.stringContaining('in use') } },
    ])
    await send(toy.url, { body: cancel(7), headers })
    await answer
    expect((await send(toy.url, { body: rpc('ping', undefined, 7), headers })).status).toBe(200)
  })

  it('streams progress to a caller that sent a token, with comments that keep the connection open', async () => {
    const toy = await startToyServer()
    const stream = await HttpStream.open(toy.url, 'POST', {}, park('a', 1, { progressToken: 'p' }))
    expect(stream.response.headers['content-type']).toBe('text/event-stream')
    await stream.has('"progressToken":"p"')
    await toy.machine.advance(15_000)
    await stream.has(': keep-alive')
    await toy.machine.advance(15_000)
    await stream.has(': keep-alive\n\n: keep-alive')
    stream.drop()
    await toy.happened('a aborted: the caller hung up')
    expect(toy.machine.pending).toBe(0)
  })
})

describe('the notification stream of a session', () => {
  it('sends messages for all sessions once to each session', async () => {
    const toy = await startToyServer()
    const sessions = await Promise.all([openSession(toy.url), openSession(toy.url)])
    const streams = await Promise.all(
      [sessions[0], sessions[0], sessions[1]].map(id =>
        HttpStream.open(toy.url, 'GET', { 'mcp-session-id': String(id) }),
      ),
    )
    await toy.server.notification({ method: 'notifications/cancelled', params: { requestId: 'x' } })
    await Promise.all([
      streams[0]?.has('notifications/cancelled'),
      streams[2]?.has('notifications/cancelled'),
    ])
    expect(streams[1]?.text).toBe('')
    for (const stream of streams) stream.drop()
  })

  it('ends with its session', async () => {
    const toy = await startToyServer()
    const headers = { 'mcp-session-id': await openSession(toy.url) }
    const stream = await HttpStream.open(toy.url, 'GET', headers)
    await send(toy.url, { method: 'DELETE', headers })
    await stream.ended
    expect(toy.instance.journal.entries({ method: 'GET /mcp' })).toMatchObject([{ outcome: 'ok' }])
  })

  it('is 406 for a caller that does not take streams', async () => {
    const toy = await startToyServer()
    const headers = { 'mcp-session-id': await openSession(toy.url), accept: 'application/json' }
    expect((await send(toy.url, { method: 'GET', headers })).status).toBe(406)
  })
})

describe('an idle session', () => {
  it('is ended after its idle time, to the minute, and its memory is freed', async () => {
    const toy = await startToyServer()
    const headers = { 'mcp-session-id': await openSession(toy.url) }
    await toy.machine.advance(59_999)
    expect((await send(toy.url, { body: rpc('ping'), headers })).status).toBe(200)
    await toy.machine.advance(59_999)
    expect(toy.endpoint.sessions).toBe(1)
    await toy.machine.advance(1)
    expect(toy.endpoint.sessions).toBe(0)
    expect(toy.events).toEqual(['forgotten'])
    expect((await send(toy.url, { body: rpc('ping'), headers })).status).toBe(404)
  })

  it('is not idle while one of its calls is parked or its stream is open', async () => {
    const toy = await startToyServer()
    const parked = { 'mcp-session-id': await openSession(toy.url) }
    const streaming = { 'mcp-session-id': await openSession(toy.url) }
    const request = post(toy.url, park('a'), parked)
    await toy.happened('a parked')
    const stream = await HttpStream.open(toy.url, 'GET', streaming)
    await toy.machine.advance(10 * 60_000)
    expect(toy.endpoint.sessions).toBe(2)
    request.destroy()
    stream.drop()
    await Promise.all([toy.happened('a aborted: the caller hung up'), stream.ended])
  })
})

it('hides the text of an internal error', async () => {
  const toy = await startToyServer()
  const { status, body } = await send(toy.url, { body: rpc('tools/call', { name: 'crash', arguments: {} }) })
  expect(status).toBe(200)
  expect(body).toContain('crash failed: internal error')
  expect(body).not.toContain('secret detail')
  expect(body).not.toContain('/home')
})
