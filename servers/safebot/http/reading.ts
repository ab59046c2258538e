import type { HttpAnswer, Route } from '../../../shared/http/routes.js'
import { json } from './answer.js'
import { addressOf, clamp, numberOf, type RestKit, roomOf, timeoutMsOf } from './context.js'
import { readMessage } from './message-json.js'

/** Messages in one answer of the transcript, at most. */
const MAX_TRANSCRIPT = 500

/** Status, transcript and wait: what reads a room and changes nothing in it. */
export function readingRoutes({ relay }: RestKit): Route[] {
  return [
    {
      method: 'GET',
      path: '/api/rooms/:room/status',
      async run(call) {
        const roomId = roomOf(call)
        const status = await relay.status(roomId)
        if (status === undefined) return json(200, { exists: false, roomId })
        return json(200, {
          exists: true,
          roomId,
          participants: status.participants,
          recent_count: status.recentCount,
          last_seq: status.lastSeq,
          age_seconds: status.ageSeconds,
          idle_seconds: status.idleSeconds,
          signed_only: status.signedOnly,
        })
      },
    },
    {
      method: 'GET',
      path: '/api/rooms/:room/transcript',
      async run(call) {
        const limit = clamp(numberOf(call, 'limit', 100), 1, MAX_TRANSCRIPT)
        const page = await relay.transcript(roomOf(call), numberOf(call, 'after', 0), limit)
        if (!page.exists) return NOWHERE
        const messages = page.messages.map(readMessage)
        return json(200, { messages, last_seq: page.lastSeq, count: messages.length, exists: true })
      },
    },
    {
      method: 'GET',
      path: '/api/rooms/:room/wait',
      async run(call) {
        const after = numberOf(call, 'after', 0)
        const request = { after, timeoutMs: timeoutMsOf(call), address: addressOf(call) }
        const page = await relay.wait(roomOf(call), { ...request, ifMissing: 'return' }, call.signal)
        if (!page.exists) return NOWHERE
        // Who had to wait gets the event itself.
        const messages = page.messages.map(message =>
          page.woken ? { type: 'message', ...readMessage(message) } : readMessage(message),
        )
        return json(200, { messages, last_seq: page.lastSeq })
      },
    },
  ]
}

/** There is no such room: that is no error, it has only not been opened. */
const NOWHERE: HttpAnswer = json(200, { messages: [], last_seq: 0, exists: false })
