import { describe, expect, it } from 'vitest'
import { rpc, send } from '../../support/clients/raw-http.js'
import { claimNow, createRoom, say, transcript } from '../../support/clients/room.js'
import { ok, refused, startUnderstudy } from '../../support/servers/understudy.js'

async function room() {
  const understudy = await startUnderstudy()
  const client = await understudy.safebot.connect({ handle: 'alice' })
  const other = await understudy.safebot.connect({ handle: 'bob' })
  return { ...understudy, client, other, url: await createRoom(client) }
}

// fidelity safebot/mcp, differs: The error for an unknown tool is `Unknown tool: <name>`. Here: The names of
// the tools follow, so that the caller can correct the call.
it('an unknown tool is refused by name, with the known names', async () => {
  const { client } = await room()
  for (const name of ['burn_room', '__proto__', 'constructor', '']) {
    expect(await refused(client, name)).toMatch(
      new RegExp(`^Unknown tool: ${name}\\. .*create_room, .*ack_task`),
    )
  }
})

describe('arguments', () => {
  it.each([
    ['array', [1]],
    ['string', 'url'],
    ['number', 5],
  ])('that are a %s are a protocol error', async (kind, args) => {
    const { safebot } = await startUnderstudy()
    const { status, json } = await send(safebot.mcpUrl, {
      body: rpc('tools/call', { name: 'room_status', arguments: args }),
    })
    expect([status, json]).toMatchObject([
      200,
      { error: { code: -32602, message: expect.stringContaining(kind) } },
    ])
  })

  it('without a tool name are a protocol error', async () => {
    const { safebot } = await startUnderstudy()
    for (const params of [undefined, {}, { name: 7 }]) {
      const { json } = await send(safebot.mcpUrl, { body: rpc('tools/call', params) })
      expect(json).toMatchObject({ error: { code: -32602 } })
    }
  })

  // fidelity safebot/mcp, differs: An unknown argument is ignored. Here: It is refused by name, so that a
  // test sees the mistake.
  it('that are unknown are named, with the known ones', async () => {
    const { client, url } = await room()
    expect(await refused(client, 'room_status', { url, verbose: true })).toBe(
      'room_status failed: invalid arguments: unknown argument "verbose" (known are url)',
    )
  })

  // fidelity safebot/mcp, differs: A value of the wrong type is converted. Here: It is refused with the value
  // and the expected type, so that a test sees the mistake.
  it('that are missing or of the wrong type are named with value and expected type', async () => {
    const { client, url } = await room()
    expect(await refused(client, 'send_message', { url })).toBe(
      'send_message failed: invalid arguments: text is missing (a text)',
    )
    expect(await refused(client, 'send_message', { url: 7, text: ['x'] })).toBe(
      'send_message failed: invalid arguments: url is 7 (a room URL, as create_room returns it); text is ["x"] (a text)',
    )
    expect(await refused(client, 'wait_for_messages', { url, include_self: 'yes' })).toContain(
      'include_self is "yes" (true or false)',
    )
    expect(await refused(client, 'get_transcript', { url, limit: 501 })).toContain(
      'limit is 501 (a whole number from 1 to 500)',
    )
    expect(await refused(client, 'get_transcript', { url, after_seq: -1 })).toContain('after_seq is -1')
  })
})

describe.each(['wait_for_messages', 'next_task', 'claim_task'])('timeout_seconds of %s', tool => {
  // fidelity safebot/mcp, differs: A value out of range becomes the nearest bound. Here: It is refused, so
  // that a test sees the mistake.
  it.each([0, -1, 91, 1.5, '2', null, true])(
    '%j is refused and nothing is claimed',
    async timeout_seconds => {
      const { client, other, url } = await room()
      await say(other, url, 'work')
      expect(await refused(client, tool, { url, timeout_seconds })).toBe(
        `${tool} failed: invalid arguments: timeout_seconds is ${JSON.stringify(timeout_seconds)} (a whole number of seconds from 1 to 90)`,
      )
      expect(await claimNow(client, url)).toMatchObject({ text: 'work' })
    },
  )

  it.each([1, 90])('%j is taken', async timeout_seconds => {
    const { client, other, url } = await room()
    await say(other, url, 'work')
    await ok(client, tool, { url, timeout_seconds })
  })
})

describe('ack_task', () => {
  it('of a claim that was never made, in a room without claims, changes nothing', async () => {
    const { client, url } = await room()
    expect(await ok(client, 'ack_task', { url, claim_id: 'forged', seq: 5 })).toEqual({
      advanced: false,
      cursor: 0,
    })
  })

  it('with a forged claim id is refused with the cursor, and the task stays claimed', async () => {
    const { client, other, url } = await room()
    await say(other, url, 'work')
    const task = await claimNow(client, url)
    expect(await refused(client, 'ack_task', { url, claim_id: 'forged', seq: task.seq })).toMatch(
      new RegExp(
        `^ack_task failed: ack failed: 409 \\{"error":"stale or unknown claim","cursor":${task.seq - 1}\\}`,
      ),
    )
    expect(await claimNow(client, url)).toEqual(task)
  })

  it('by another handle is refused', async () => {
    const { client, other, url } = await room()
    await say(other, url, 'work')
    const task = await claimNow(client, url)
    expect(await ok(other, 'ack_task', { url, claim_id: task.claimId, seq: task.seq })).toEqual({
      advanced: false,
      cursor: 0,
    })
    expect(await claimNow(client, url)).toEqual(task)
  })

  it.each([0, -1, 1.5, '7'])('of seq %j is refused', async seq => {
    const { client, url } = await room()
    expect(await refused(client, 'ack_task', { url, claim_id: 'x', seq })).toContain('seq is')
  })
})

it('an invalid room URL is refused by every tool with a url argument, and the key is not repeated', async () => {
  const { client, url } = await room()
  const [, key = ''] = url.split('#k=')
  const bad = url.replace('/room/', '/lobby/')
  for (const tool of ['wait_for_messages', 'get_transcript', 'room_status', 'next_task', 'claim_task']) {
    const refusal = await refused(client, tool, { url: bad })
    expect(refusal).toContain(`${tool} failed: not a SafeBot.Chat room URL (path must be /room/<id>)`)
    expect(refusal).not.toContain(key)
  }
  expect(await refused(client, 'send_message', { url: 'x', text: 'hi' })).toContain(
    'send_message failed: Invalid URL',
  )
  expect(await transcript(client, url)).toEqual([])
})

it('an invalid handle is refused with the rule', async () => {
  const { safebot } = await startUnderstudy()
  const { status, json } = await send(safebot.mcpUrl, {
    body: rpc('ping'),
    headers: { 'x-safebot-handle': '-no-' },
  })
  expect([status, json]).toMatchObject([
    400,
    { error: { message: expect.stringContaining('use 2 to 32 characters of a-z 0-9 _ -') } },
  ])
})

it('arguments nested too deeply for JSON.stringify are refused like any others, and the journal stays valid', async () => {
  const { safebot, journal } = await startUnderstudy()
  const deep = '['.repeat(100_000) + ']'.repeat(100_000)
  const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"room_status","arguments":{"url":${deep}}}}`
  const { json } = await send(safebot.mcpUrl, { body })
  expect(json).toMatchObject({
    result: {
      isError: true,
      content: [{ text: expect.stringContaining('url is a value nested too deeply') }],
    },
  })
  expect(JSON.parse(JSON.stringify(journal.entries()))).toMatchObject([
    { tool: 'room_status', arguments: null, raw: body },
  ])
})
