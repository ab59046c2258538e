import { z } from 'zod'
import { entryJson } from '../../journal/entry-json.js'

/** What the stream of a journal tells; `id` is where to go on from. */
export const journalEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('opened'), id: z.string(), entry: entryJson }),
  z.object({ type: z.literal('ended'), id: z.string(), entry: entryJson }),
  z.object({ type: z.literal('cleared'), id: z.string() }),
  z.object({ type: z.literal('gap'), id: z.string(), dropped: z.int() }),
])

export type JournalEvent = z.infer<typeof journalEvent>

/** Reads the events of a stream; comments, which keep it open, are passed over. */
export async function* journalEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<JournalEvent> {
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

function eventOf(block: string): JournalEvent | undefined {
  const fields = new Map(
    block.split('\n').map(line => {
      const colon = line.indexOf(': ')
      return [line.slice(0, colon), line.slice(colon + 2)] as const
    }),
  )
  const type = fields.get('event')
  if (type === undefined) return undefined
  const data: unknown = JSON.parse(fields.get('data') ?? '{}')
  const more = type === 'gap' ? Object(data) : { entry: data }
  return journalEvent.parse({ type, id: fields.get('id'), ...more })
}
