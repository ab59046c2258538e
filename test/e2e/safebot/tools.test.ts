import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { describe, expect, it } from 'vitest'
import { createRoom, say, transcript } from '../../support/clients/room.js'
import { call, ok, refused, startUnderstudy, textOf } from '../../support/servers/understudy.js'

const EIGHT = [
  'create_room',
  'send_message',
  'wait_for_messages',
  'get_transcript',
  'room_status',
  'next_task',
  'claim_task',
  'ack_task',
]

async function alice(): Promise<Client> {
  return (await startUnderstudy()).safebot.connect({ handle: 'alice' })
}

/** The text of a call that succeeds. */
async function text(client: Client, name: string, args: Record<string, unknown>): Promise<string> {
  return textOf(await call(client, name, args))
}

describe('the list of tools', () => {
  // fidelity safebot/mcp, same: The server has eight tools, in the order of the real client.
  // fidelity safebot/mcp, differs: Results are text. Here: They also have `structuredContent` with a schema,
  // so that a test need not parse text.
  it('has the eight tools in order, each with title, strict schemas and four hints', async () => {
    const { tools } = await (await alice()).listTools()
    expect(tools.map(tool => tool.name)).toEqual(EIGHT)
    for (const tool of tools) {
      expect(tool.inputSchema).toMatchObject({ type: 'object', additionalProperties: false })
      expect(tool.outputSchema).toMatchObject({ type: 'object', additionalProperties: false })
      expect(Object.keys(tool.annotations ?? {}).sort()).toEqual([
        'destructiveHint',
        'idempotentHint',
        'openWorldHint',
        'readOnlyHint',
        'title',
      ])
    }
  })

  // fidelity safebot/mcp, same: The tools have the arguments of the real client, and the same arguments are
  // required.
  it('has the arguments of the real client, with the same ones required', async () => {
    const { tools } = await (await alice()).listTools()
    const args = tools.map(({ name, inputSchema: { properties = {}, required = [] } }) => [
      name,
      Object.keys(properties).map(key => (required.includes(key) ? key : `${key}?`)),
    ])
    expect(Object.fromEntries(args)).toEqual({
      create_room: ['base?'],
      send_message: ['url', 'text', 'name?'],
      wait_for_messages: ['url', 'after_seq?', 'timeout_seconds?', 'include_self?', 'name?'],
      get_transcript: ['url', 'after_seq?', 'limit?'],
      room_status: ['url'],
      next_task: ['url', 'timeout_seconds?'],
      claim_task: ['url', 'timeout_seconds?'],
      ack_task: ['url', 'claim_id', 'seq'],
    })
  })

  // fidelity safebot/mcp, same: Optional arguments have the defaults of the real client.
  it('has the defaults of the real client: 20 s to wait, 60 s to claim, 100 messages, from the beginning', async () => {
    const { tools } = await (await alice()).listTools()
    const defaults = tools.flatMap(({ name, inputSchema }) =>
      Object.entries(inputSchema.properties ?? {}).flatMap(([key, schema]) =>
        'default' in schema ? [`${name} ${key} ${schema.default}`] : [],
      ),
    )
    expect(defaults).toEqual([
      'wait_for_messages after_seq 0',
      'wait_for_messages timeout_seconds 20',
      'wait_for_messages include_self false',
      'get_transcript after_seq 0',
      'get_transcript limit 100',
      'next_task timeout_seconds 60',
      'claim_task timeout_seconds 60',
    ])
  })

  it('has one page', async () => {
    await expect((await alice()).listTools({ cursor: 'x' })).rejects.toMatchObject({ code: -32602 })
  })
})

describe('create_room', () => {
  // fidelity safebot/mcp, same: `create_room` makes a URL without a room on the service.
  // fidelity safebot/mcp, same: The text of `create_room` has the room and its join URL, and says that the
  // room is active.
  it('makes a URL without a room on the server', async () => {
    const client = await alice()
    const said = await text(client, 'create_room', {})
    expect(said).toMatch(
      /^Created room [A-Z2-9]{6}\.\n\nJoin URL \(.*\):\nhttp:\/\/127\.0\.0\.1:\d+\/room\/.{6}#k=.{43}\n/,
    )
    expect(said).toContain('(active room set to ')
    expect(await ok(client, 'room_status', { url: await createRoom(client) })).toMatchObject({
      exists: false,
    })
  })
})

describe('send_message', () => {
  // fidelity safebot/mcp, same: The text of `send_message` has the label, the server id and the seq.
  it('opens the room and shows the label, id and seq', async () => {
    const client = await alice()
    const url = await createRoom(client)
    expect(await text(client, 'send_message', { url, text: 'hi' })).toMatch(
      /^sent as "alice"\. server_id=[0-9a-f-]{36} seq=1767225600000$/,
    )
    expect(await say(client, url, 'again')).toBe(1767225600001)
    expect(await transcript(client, url)).toEqual(['hi', 'again'])
  })

  // fidelity safebot/mcp, same: The `name` of `send_message` is trimmed, loses a leading @ and is cut to 64
  // characters. It stays for later messages in that room.
  it('keeps a new label for the rest of the session, without a leading @', async () => {
    const client = await alice()
    const url = await createRoom(client)
    expect(await text(client, 'send_message', { url, text: 'a', name: ' @@Bob ' })).toContain('sent as "Bob"')
    expect(await text(client, 'send_message', { url, text: 'b' })).toContain('sent as "Bob"')
    expect(await text(client, 'send_message', { url, text: 'c', name: 'x'.repeat(80) })).toContain(
      `sent as "${'x'.repeat(64)}"`,
    )
  })

  // fidelity safebot/mcp, same: The service judges the size of a text: 98,288 bytes are accepted.
  it('accepts a text of 98,288 bytes and refuses one byte more', async () => {
    const client = await alice()
    const url = await createRoom(client)
    await say(client, url, 'é'.repeat(98_288 / 2))
    const refusal = await refused(client, 'send_message', { url, text: 'x'.repeat(98_289) })
    expect(refusal).toMatch(
      /^send_message failed: send failed: 400 \{"error":"bad message"\} — .*98,288 bytes/,
    )
    expect(await transcript(client, url)).toHaveLength(1)
  })

  it('stores ciphertext only', async () => {
    const { safebot, journal } = await startUnderstudy()
    const client = await safebot.connect({ handle: 'alice' })
    const url = await createRoom(client)
    await say(client, url, 'meet at noon')
    const other = url.replace(/k=.*$/, `k=${Buffer.alloc(32).toString('base64url')}`)
    expect(await text(client, 'get_transcript', { url: other })).toContain('alice: [undecryptable]')
    expect(journal.entries({ tool: 'send_message' })).toHaveLength(1)
  })
})

describe('get_transcript', () => {
  // fidelity safebot/mcp, same: The text of `get_transcript` has a line for each message, the number of
  // messages, and the last seq of the room, even if the page ends earlier.
  it('returns the oldest messages after after_seq, and the last seq of the room', async () => {
    const client = await alice()
    const url = await createRoom(client)
    const seqs = [
      await say(client, url, 'one'),
      await say(client, url, 'two'),
      await say(client, url, 'three'),
    ]
    expect(await text(client, 'get_transcript', { url, after_seq: seqs[0], limit: 1 })).toBe(
      `[seq=${seqs[1]}] alice: two\n\n(last_seq=${seqs[2]}; 1 of 1 returned)`,
    )
    expect(await text(client, 'get_transcript', { url, after_seq: seqs[2] })).toBe(
      `(empty — no messages in the buffer after seq ${seqs[2]})`,
    )
  })

  // fidelity safebot/mcp, same: `wait_for_messages` and `get_transcript` mark a message that the key does not
  // open, and do not leave it out.
  it('marks messages that the key does not open', async () => {
    const client = await alice()
    const url = await createRoom(client)
    await say(client, url, 'mine')
    const wrong = url.replace(/k=.*$/, `k=${Buffer.alloc(32, 1).toString('base64url')}`)
    await say(client, wrong, 'with another key')
    expect(await transcript(client, url)).toEqual(['mine', null])
    expect(await transcript(client, wrong)).toEqual([null, 'with another key'])
    expect(await text(client, 'wait_for_messages', { url: wrong, include_self: true })).toContain(
      'undecryptable — wrong key or different room',
    )
  })

  // fidelity safebot/mcp, same: `claim_task` and `next_task` mark a message that the key does not open.
  it('marks messages that the key does not open, and so do claims', async () => {
    const { safebot } = await startUnderstudy()
    const [a, b] = [await safebot.connect({ handle: 'alice' }), await safebot.connect({ handle: 'bob' })]
    const url = await createRoom(a)
    await say(a, url, 'mine')
    const wrong = url.replace(/k=.*$/, `k=${Buffer.alloc(32, 1).toString('base64url')}`)
    expect(await text(b, 'claim_task', { url: wrong })).toContain('alice: [undecryptable — wrong room key]')
    expect(await text(b, 'next_task', { url: wrong })).toContain('alice: [undecryptable — wrong room key]')
  })
})

describe('room_status', () => {
  // fidelity safebot/mcp, same: The text of `room_status` has five lines in columns.
  it('shows participants, messages, age and idle time', async () => {
    const { safebot, clock } = await startUnderstudy()
    const [a, b] = [await safebot.connect({ handle: 'alice' }), await safebot.connect({ handle: 'bob' })]
    const url = await createRoom(a)
    await say(a, url, 'hi')
    await clock.advance(5_500)
    await say(b, url, 'hello')
    await clock.advance(2_000)
    expect(await text(a, 'room_status', { url })).toMatch(
      /^Room .{6}\n {2}participants: 2\n {2}recent_count: 2\n {2}last_seq: {5}1767225600001\n {2}age: {10}7s\n {2}idle: {9}2s$/,
    )
    await b.close()
    expect(await ok(a, 'room_status', { url })).toMatchObject({ status: { participants: 1 } })
  })

  // fidelity safebot/mcp, same: The text of `room_status` says that a missing room does not exist.
  it('says that a room that no agent has opened does not exist', async () => {
    const client = await alice()
    const said = await text(client, 'room_status', { url: await createRoom(client) })
    expect(said).toMatch(/^Room .{6} does not currently exist on the server \(.*evicted after 30s/)
  })
})

describe('the active room', () => {
  // fidelity safebot/mcp, same: A call in another room says that the active room changes. `send_message` does
  // not say it.
  it('is announced only when it changes', async () => {
    const client = await alice()
    const first = await createRoom(client)
    expect(await text(client, 'get_transcript', { url: first })).not.toContain('active room')
    const second = await createRoom(client)
    expect(await text(client, 'get_transcript', { url: second })).not.toContain('active room')
    expect(await text(client, 'get_transcript', { url: first })).toContain('active room set to')
    expect(await text(client, 'send_message', { url: second, text: 'hi' })).not.toContain('active room')
    expect(await text(client, 'get_transcript', { url: second })).not.toContain('active room')
  })

  // fidelity safebot/mcp, same: Another key of the same room changes the active room. `ack_task` does not say
  // it.
  it('changes with the key, and changes silently with an acknowledgement', async () => {
    const client = await alice()
    const url = await createRoom(client)
    const other = url.replace(/k=.*$/, `k=${Buffer.alloc(32, 1).toString('base64url')}`)
    expect(await text(client, 'get_transcript', { url: other })).toContain('active room set to')
    expect(await text(client, 'ack_task', { url, claim_id: 'x', seq: 1 })).not.toContain('active room')
    expect(await text(client, 'get_transcript', { url })).not.toContain('active room')
  })
})
