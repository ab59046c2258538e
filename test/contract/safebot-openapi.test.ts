import { Validator } from '@seriousme/openapi-schema-validator'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import * as schema from '../../servers/safebot/http/schemas.js'
import type { RawAnswer } from '../support/clients/raw-http.js'
import { send } from '../support/clients/raw-http.js'
import { startSafebot } from '../support/servers/safebot.js'

const operation = z.looseObject({ responses: z.record(z.string(), z.unknown()) })
const description = z.looseObject({
  openapi: z.literal('3.1.0'),
  paths: z.record(z.string(), z.record(z.string(), operation)),
})

async function start() {
  const running = await startSafebot()
  const answer = await send(`${running.url}/api/openapi.json`, { method: 'GET' })
  return { ...running, document: description.parse(answer.json) }
}

/** Strictly: what is described nowhere is not to be sent. */
function parse(type: z.ZodObject, { json }: RawAnswer): void {
  z.strictObject(type.shape).parse(json)
}

describe("the description of SafeBot's HTTP API", () => {
  it('is a valid OpenAPI document', async () => {
    const { document } = await start()
    const { valid, errors } = await new Validator().validate(Object(document))
    expect([valid, errors]).toEqual([true, undefined])
  })

  it('describes routes that answer with a status that it lists', async () => {
    const { document, url } = await start()
    for (const [path, operations] of Object.entries(document.paths)) {
      if (path.endsWith('/events')) continue
      for (const [method, { responses }] of Object.entries(operations)) {
        const target = url + path.replace('{roomId}', 'room-1').replace('{handle}', 'nobody')
        const { status } = await send(target, { method: method.toUpperCase() })
        expect([path, method, Object.keys(responses)]).toEqual([
          path,
          method,
          expect.arrayContaining([`${status}`]),
        ])
      }
    }
    const bad = await send(`${url}/api/rooms/abc/events`, { method: 'GET' })
    expect(bad.status).toBe(400)
  })

  it('describes every route', async () => {
    const { document } = await start()
    expect(Object.keys(document.paths).sort()).toEqual(
      [
        ...['/api/health', '/api/status', '/api/openapi.json'],
        ...['/api/identity/register', '/api/identity/{handle}'],
        ...['messages', 'status', 'transcript', 'wait', 'events', 'listening', 'claim', 'ack'].map(
          name => `/api/rooms/{roomId}/${name}`,
        ),
      ].sort(),
    )
  })

  it('describes the fields of every answer, and the answers have no other fields', async () => {
    const { agent, stranger, instance } = await startSafebot()
    const [alice, bob] = [await agent('alice'), await agent('bob')]
    parse(schema.registered, await stranger('carol').register())
    parse(schema.identity, await alice.get('/api/identity/bob'))
    parse(schema.roomStatusAnswer, await alice.get('/api/rooms/room-1/status'))
    parse(schema.transcript, await alice.get('/api/rooms/room-1/transcript'))
    parse(schema.waited, await alice.get('/api/rooms/room-1/wait'))
    parse(schema.claim, await alice.claim('room-1'))
    parse(schema.posted, await bob.say('room-1', undefined, { reply_to: 'abcdefgh', ttl_ms: 30_000 }))
    parse(schema.roomStatusAnswer, await alice.get('/api/rooms/room-1/status'))
    const transcript = await alice.get('/api/rooms/room-1/transcript')
    parse(schema.transcript, transcript)
    z.array(z.strictObject(schema.message.shape)).min(1).parse(Object(transcript.json).messages)
    parse(schema.waited, await alice.get('/api/rooms/room-1/wait'))
    parse(schema.done, await alice.post('/api/rooms/room-1/listening', { name: 'alice' }))
    const claimed = await alice.claim('room-1')
    parse(schema.claim, claimed)
    z.strictObject(schema.claimedMessage.shape).parse(Object(claimed.json).message)
    const { claim_id, message } = Object(claimed.json)
    parse(schema.failed, await alice.ack('room-1', { claim_id: 'x', seq: message.seq }))
    parse(schema.acknowledged, await alice.ack('room-1', { claim_id, seq: message.seq }))
    parse(schema.health, await alice.get('/api/health'))
    parse(schema.serviceStatus, await alice.get('/api/status'))
    const claiming = alice.claim('room-1', '?timeout=1')
    await instance.clock.whenPending(1)
    await instance.clock.advance(1000)
    parse(schema.claim, await claiming)
  })
})
