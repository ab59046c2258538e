import { describe, expect, it } from 'vitest'
import { type StreamEvent, serverEvents } from '../../../servers/control/client/events.js'

async function read(text: string, size: number): Promise<StreamEvent[]> {
  const bytes = Buffer.from(text)
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
  }
  const events: StreamEvent[] = []
  for await (const event of serverEvents(pieces())) events.push(event)
  return events
}

describe('the events of the control plane', () => {
  it.each(['\n', '\r\n'])('are read with any line ending (%j), and however they are cut', async end => {
    const lines = [': still here', '', 'event: ended', 'id: 7', 'data: {"ä":', 'data: 1}', '']
    const text = [...lines, 'event:cleared', 'id:8', 'data', '', 'data: {}', '', 'event: never', ''].join(end)
    for (const size of [1, 2, 3, 1000]) {
      expect(await read(text, size)).toEqual([
        { type: 'ended', id: '7', data: { ä: 1 } },
        { type: 'cleared', id: '8', data: {} },
      ])
    }
  })
})
