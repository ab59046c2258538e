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
