import { createParser } from 'eventsource-parser'
import { z } from 'zod'
import { entryJson } from '../../../shared/journal/entry.js'
import { approval } from '../../../shared/schemas/approval.js'
import { gatewayEntry } from '../../../shared/schemas/audit.js'

/**
 * An event of the stream of the journal. A client sends `id` as `lastEventId` to continue after the event.
 */
const journalEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('opened'), id: z.string(), entry: entryJson }),
  z.object({ type: z.literal('ended'), id: z.string(), entry: entryJson }),
  z.object({ type: z.literal('cleared'), id: z.string() }),
  z.object({ type: z.literal('gap'), id: z.string(), dropped: z.int() }),
])

/**
 * An event of the stream of the gateways. A client sends `id` as `lastEventId` to continue after the event.
 */
const gatewayEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('audit'), id: z.string(), entry: gatewayEntry }),
  z.object({ type: z.literal('approval'), id: z.string(), approval }),
  z.object({ type: z.literal('cleared'), id: z.string() }),
  z.object({ type: z.literal('gap'), id: z.string(), dropped: z.int() }),
])

/** One event of a stream. Its data is JSON that was parsed, but not checked. */
export interface StreamEvent {
  type: string
  id: string
  data: unknown
}

/** Reads the events of a stream. Comments, and events without a name, are left out. */
export async function* serverEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<StreamEvent> {
  const events: StreamEvent[] = []
  const parser = createParser({
    onEvent({ event: type, id = '', data }) {
      if (type !== undefined) events.push({ type, id, data: JSON.parse(data || '{}') })
    },
  })
  const decoder = new TextDecoder()
  for await (const chunk of body) {
    parser.feed(decoder.decode(chunk, { stream: true }))
    yield* events.splice(0)
  }
}

export type GatewayEvent = z.infer<typeof gatewayEvent>

export function gatewayEventOf({ type, id, data }: StreamEvent): GatewayEvent {
  const more = type === 'audit' ? { entry: data } : type === 'approval' ? { approval: data } : Object(data)
  return gatewayEvent.parse({ type, id, ...more })
}

export type JournalEvent = z.infer<typeof journalEvent>

export function journalEventOf({ type, id, data }: StreamEvent): JournalEvent {
  return journalEvent.parse({ type, id, ...(type === 'gap' ? Object(data) : { entry: data }) })
}
