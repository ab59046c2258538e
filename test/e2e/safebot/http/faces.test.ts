import { describe, expect, it } from 'vitest'
import { RoomUrls, seal, unseal } from '../../../../servers/safebot/room-url.js'
import { IdSource } from '../../../../shared/ids.js'
import { claim, claimNow, createRoom, say, transcript } from '../../../support/clients/room.js'
import { anyCipher } from '../../../support/clients/safebot-agent.js'
import { startSafebot } from '../../../support/servers/safebot.js'
import { call, ok, refused, textOf } from '../../../support/servers/understudy.js'

/** A service, an agent on its MCP endpoint, one on its HTTP API, and a room of theirs. */
async function meet() {
  const running = await startSafebot()
  const maria = await running.safebot.connect({ handle: 'maria' })
  const harry = await running.agent('harry')
  const url = await createRoom(maria)
  const { roomId, key } = new RoomUrls(running.url).parse(url)
  const cipher = (text: string) => seal(key, text, new IdSource())
  return { ...running, maria, harry, url, roomId, key, cipher }
}

describe('an agent on the MCP endpoint and one on the HTTP API', () => {
  it('read one another', async () => {
    const { maria, harry, url, roomId, key, cipher } = await meet()
    await say(maria, url, 'from maria')
    await harry.say(roomId, cipher('from harry'))
    expect(await transcript(maria, url)).toEqual(['from maria', 'from harry'])
    const { json } = await harry.get(`/api/rooms/${roomId}/transcript`)
    const texts = Object(json).messages.map((message: { ciphertext: string; nonce: string }) =>
      unseal(key, message),
    )
    expect(texts).toEqual(['from maria', 'from harry'])
  })

  it('wake one another', async () => {
    const { maria, harry, url, roomId, cipher, instance } = await meet()
    await say(maria, url, 'the room is open')
    const claiming = claim(maria, url)
    await instance.clock.whenPending(1)
    await harry.say(roomId, cipher('to do for maria'))
    expect(await claiming).toMatchObject({ text: 'to do for maria' })
    const first = await harry.claim(roomId)
    await harry.ack(roomId, { claim_id: Object(first.json).claim_id, seq: Object(first.json).message.seq })
    const parked = harry.claim(roomId, '?timeout=90')
    await instance.clock.whenPending(1)
    const seq = await say(maria, url, 'to do for harry')
    expect((await parked).json).toMatchObject({ message: { seq, sender: 'maria' } })
  })

  it('are separate consumers: each gets every message of the others', async () => {
    const { maria, harry, roomId, url, cipher } = await meet()
    await harry.say(roomId, cipher('for all'), { sender: 'somebody' })
    expect((await claimNow(maria, url)).text).toBe('for all')
    expect((await harry.claim(roomId)).json).toMatchObject({ message: { sender: 'somebody' } })
  })

  it('are one consumer if they share a handle', async () => {
    const { safebot, harry, roomId, url, cipher } = await meet()
    await harry.say(roomId, cipher('for harry'), { sender: 'somebody' })
    const same = await safebot.connect({ handle: 'harry' })
    const { claimId, seq } = await claimNow(same, url)
    expect((await harry.claim(roomId)).json).toMatchObject({ claim_id: claimId, message: { seq } })
    expect((await harry.ack(roomId, { claim_id: claimId, seq })).json).toMatchObject({ advanced: true })
  })

  it('see each other as present', async () => {
    const { maria, harry, url, roomId } = await meet()
    await say(maria, url, 'hello', 'Maria')
    expect((await harry.get(`/api/rooms/${roomId}/status`)).json).toMatchObject({ participants: 1 })
    expect(textOf(await call(maria, 'room_status', { url }))).toContain('participants: 1')
  })

  it('know the signers of messages', async () => {
    const { maria, harry, url, roomId, cipher } = await meet()
    await harry.saySigned(roomId, cipher('it is me'), { sender: 'somebody else' })
    const text = textOf(await call(maria, 'claim_task', { url, timeout_seconds: 1 }))
    expect(text).toContain('@harry ✓: it is me')
  })

  it('can both send in a room of signed messages, unless another owner has the handle', async () => {
    const { maria, safebot, harry, roomId, url, cipher, agent } = await meet()
    await harry.saySigned(roomId, cipher('locked'), { signed_only: true })
    expect(await ok(maria, 'send_message', { url, text: 'signed by itself' })).toMatchObject({
      label: 'maria',
    })
    expect((await harry.get(`/api/rooms/${roomId}/transcript`)).json).toMatchObject({
      messages: [{ sender: '@harry' }, { sender: '@maria', sender_verified: true }],
    })
    await agent('nora')
    const impostor = await safebot.connect({ handle: 'nora' })
    expect(await refused(impostor, 'send_message', { url, text: 'as nora' })).toContain('send failed: 403')
  })

  it('are both in the journal, with handle and outcome', async () => {
    const { maria, harry, url, roomId, instance } = await meet()
    await say(maria, url, 'hello')
    await harry.claim(roomId)
    await harry.post(`/api/rooms/${roomId}/claim`, { handle: 'HARRY' })
    await harry.say(roomId, anyCipher(), { sender_handle: 'harry' })
    const entries = instance.journal.entries().slice(-4)
    expect(entries.map(({ caller, method, tool, outcome }) => [caller, method, tool, outcome])).toEqual([
      ['maria', 'tools/call', 'send_message', 'ok'],
      ['harry', `POST /api/rooms/${roomId}/claim`, null, 'ok'],
      ['harry', `POST /api/rooms/${roomId}/claim`, null, 'protocol_error'],
      ['harry', `POST /api/rooms/${roomId}/messages`, null, 'ok'],
    ])
    expect(entries[1]?.headers.authorization).toBe('SafeBot [masked]')
    expect(JSON.parse(entries[3]?.raw ?? '')).toMatchObject({ sender: 'harry' })
  })
})

describe('a message with ttl_ms', () => {
  // fidelity safebot/tasks, same: A message with `ttl_ms` leaves the buffer after that time. Its lease ends
  // too.
  it('is gone after that time for readers and consumers, with its lease', async () => {
    const { maria, harry, url, roomId, cipher, instance } = await meet()
    await harry.say(roomId, cipher('short'), { ttl_ms: 30_000 })
    await harry.say(roomId, cipher('long'))
    const task = await claimNow(maria, url)
    expect(task.text).toBe('short')
    await instance.clock.advance(29_999)
    expect(await transcript(maria, url)).toEqual(['short', 'long'])
    await instance.clock.advance(1)
    expect(await transcript(maria, url)).toEqual(['long'])
    const next = await claimNow(maria, url)
    expect([next.text, next.claimId === task.claimId]).toEqual(['long', false])
  })
})

// fidelity safebot/tasks, same: Labels are not verified. An unsigned message under an agent's label is never
// a task for that agent.
it('an unsigned message under the label of an agent is never a task for that agent', async () => {
  const { maria, harry, url, roomId, cipher, instance } = await meet()
  await harry.say(roomId, cipher('hidden from maria'), { sender: '@maria' })
  const claiming = claim(maria, url, 1)
  await instance.clock.whenPending(1)
  await instance.clock.advance(1000)
  expect(await claiming).toBeUndefined()
})
