import { z } from 'zod'
import { entryJson } from '../../../shared/journal/entry-json.js'
import type { ServerEvent } from './events.js'

/** What the stream of a journal tells; `id` is where to go on from. */
const journalEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('opened'), id: z.string(), entry: entryJson }),
  z.object({ type: z.literal('ended'), id: z.string(), entry: entryJson }),
  z.object({ type: z.literal('cleared'), id: z.string() }),
  z.object({ type: z.literal('gap'), id: z.string(), dropped: z.int() }),
])

export type JournalEvent = z.infer<typeof journalEvent>

export function journalEventOf({ type, id, data }: ServerEvent): JournalEvent {
  return journalEvent.parse({ type, id, ...(type === 'gap' ? Object(data) : { entry: data }) })
}
