import { z } from 'zod'
import { entryJson } from '../../../shared/journal/entry.js'
import { approval } from '../../../shared/schemas/approval.js'
import { gatewayEntry } from '../../../shared/schemas/audit.js'

/** What the stream of a journal tells; `id` is where to go on from. */
const journalEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('opened'), id: z.string(), entry: entryJson }),
  z.object({ type: z.literal('ended'), id: z.string(), entry: entryJson }),
  z.object({ type: z.literal('cleared'), id: z.string() }),
  z.object({ type: z.literal('gap'), id: z.string(), dropped: z.int() }),
])

/** What the stream of the gateways tells; `id` is where to go on from. */
const gatewayEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('audit'), id: z.string(), entry: gatewayEntry }),
  z.object({ type: z.literal('approval'), id: z.string(), approval }),
  z.object({ type: z.literal('cleared'), id: z.string() }),
  z.object({ type: z.literal('gap'), id: z.string(), dropped: z.int() }),
])

/** One event of a stream, as it came. */
export interface ServerEvent {
  type: string
  id: string
  data: unknown
}

/** Reads the events of a stream; comments, which keep it open, are passed over. */
export async function* serverEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true })
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const event = eventOf(text.slice(0, end))
      text = text.slice(end + 2)
      if (event !== undefined) yield event
    }
  }
}

function eventOf(block: string): ServerEvent | undefined {
  const fields = new Map(
    block.split('\n').map(line => {
      const colon = line.indexOf(': ')
      return [line.slice(0, colon), line.slice(colon + 2)] as const
    }),
  )
  const type = fields.get('event')
  if (type === undefined) return undefined
  return { type, id: fields.get('id') ?? '', data: JSON.parse(fields.get('data') ?? '{}') }
}

export type GatewayEvent = z.infer<typeof gatewayEvent>

export function gatewayEventOf({ type, id, data }: ServerEvent): GatewayEvent {
  const more = type === 'audit' ? { entry: data } : type === 'approval' ? { approval: data } : Object(data)
  return gatewayEvent.parse({ type, id, ...more })
}

export type JournalEvent = z.infer<typeof journalEvent>

export function journalEventOf({ type, id, data }: ServerEvent): JournalEvent {
  return journalEvent.parse({ type, id, ...(type === 'gap' ? Object(data) : { entry: data }) })
}
