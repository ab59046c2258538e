import { once } from 'node:events'
import type { Request, Response } from 'express'
import { hangUpSignal, type Operation, operation, paramOf } from '../../../shared/http/operation.js'
import { SseStream } from '../../../shared/http/sse.js'
import { defined } from '../../../shared/util/objects.js'
import type { RoomEvent } from '../domain/event-streams.js'
import { ROOM_ID } from '../domain/model.js'
import {
  type Participant,
  type ParticipantInfo,
  type ParticipantList,
  readParticipantName,
} from '../domain/presence.js'
import { ServiceRefusal } from '../domain/refusals.js'
import { addressOf, fieldsOf, numberOf, type RestContext, roomOf } from './context.js'
import { toReadMessage } from './messages.js'
import * as schema from './schemas.js'

/** Length of an X25519 public key in bytes. */
const BOX_PUB_BYTES = 32

/**
 * Returns the routes of presence: the event stream of a room, and the request by which an agent reports that
 * it listens.
 */
export function presenceOperations(context: RestContext): Operation[] {
  const { local, limits } = context
  const streams = new StreamCounts(limits.streamsPerAddress)
  return [
    operation({
      method: 'GET',
      path: '/api/rooms/:roomId/events',
      summary: 'Follow the events of a room as server-sent events: message, ready, presence, locked',
      params: schema.roomParams,
      query: schema.eventsQuery,
      answer: 'text/event-stream',
      others: { 400: undefined },
      refusals: [429],
      async run(request, response) {
        if (!ROOM_ID.test(paramOf(request, 'roomId'))) return void response.status(400).end()
        const leave = streams.enter(addressOf(request))
        try {
          await writeEvents(context, request, response)
        } finally {
          leave()
        }
      },
    }),
    operation({
      method: 'POST',
      path: '/api/rooms/:roomId/listening',
      summary: 'Report that an agent listens in a room',
      params: schema.roomParams,
      body: schema.listening,
      answer: schema.done,
      refusals: [400, 404, 413],
      async run(request, response) {
        const { name: rawName, box_pub } = fieldsOf(request)
        const roomId = roomOf(request)
        const name = readParticipantName(rawName)
        const exists =
          name === undefined
            ? (await local.status(roomId)) !== undefined
            : await local.recordListening(roomId, name, readBoxPub(box_pub))
        if (!exists) return void response.status(404).json({ error: 'no such room' })
        if (name === undefined) return void response.status(400).json({ error: 'bad name' })
        return { ok: true as const }
      },
    }),
  ]
}

/**
 * Writes the events of a room to the response until the caller disconnects or the stream ends. While the
 * caller reads too slowly, no further event is written.
 */
async function writeEvents(
  { local, machine }: RestContext,
  request: Request,
  response: Response,
): Promise<void> {
  const signal = hangUpSignal(response)
  const roomId = roomOf(request)
  const stream = new SseStream(response, machine, {})
  const options = { after: numberOf(request, 'after', 0), ...readParticipant(request) }
  try {
    for await (const event of local.eventStreams.subscribe(roomId, options, signal)) {
      stream.sendData(eventJson(roomId, event))
      if (response.writableNeedDrain) await once(response, 'drain', { signal })
    }
  } catch (error) {
    if (error instanceof ServiceRefusal) stream.sendData({ type: 'error', error: error.body.error })
    else if (!signal.aborted) throw error
  }
  stream.end()
}

/** Reads the name and the key of a participant from the query. Invalid values are ignored. */
function readParticipant({ query }: Request): ParticipantInfo {
  const { name, box_pub } = query
  return { name: readParticipantName(name), boxPub: readBoxPub(box_pub) }
}

/**
 * Returns a public key in base64 that has 40 to 64 characters and decodes to 32 bytes. Any other value gives
 * undefined, and the participant is shown without a key. These are the limits of the real service.
 */
function readBoxPub(value: unknown): string | undefined {
  if (typeof value !== 'string' || value.length < 40 || value.length > 64) return undefined
  return Buffer.from(value, 'base64').length === BOX_PUB_BYTES ? value : undefined
}

/** Converts an event to the form in which the stream sends it. */
function eventJson(roomId: string, event: RoomEvent): object {
  switch (event.type) {
    case 'message':
      return { type: 'message', ...toReadMessage(event.message) }
    case 'ready': {
      const { size, participants } = participantListJson(event.participantList)
      return { type: 'ready', roomId, size, last_seq: event.lastSeq, participants }
    }
    case 'presence':
      return { type: 'presence', ...participantListJson(event.participantList) }
    case 'locked':
      return { type: 'locked' }
  }
}

function participantListJson({ size, names, participants }: ParticipantList) {
  return { size, names, participants: participants.map(participantJson) }
}

function participantJson({ name, boxPub, lastSeenMsAgo }: Participant) {
  return { name, ...defined({ box_pub: boxPub }), last_seen_ms_ago: lastSeenMsAgo }
}

/** Counts the open event streams of each address. */
class StreamCounts {
  readonly #limit: number | null
  readonly #open = new Map<string, number>()

  /** @param limit maximum number of open streams for one address. Null: no limit */
  constructor(limit: number | null) {
    this.#limit = limit
  }

  /**
   * Counts a stream until the returned function is called.
   *
   * @throws ServiceRefusal 429 above the limit
   */
  enter(address: string): () => void {
    const open = this.#open.get(address) ?? 0
    if (this.#limit !== null && open >= this.#limit) {
      const error = 'too many concurrent streams from this IP'
      throw new ServiceRefusal(429, { error }, 'close some of the open streams first', 5)
    }
    this.#open.set(address, open + 1)
    return () => {
      const left = (this.#open.get(address) ?? 1) - 1
      if (left > 0) this.#open.set(address, left)
      else this.#open.delete(address)
    }
  }
}
