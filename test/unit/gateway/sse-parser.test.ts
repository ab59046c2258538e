import { describe, expect, it } from 'vitest'
import { EventReader, eventText, type ServerEvent } from '../../../servers/gateway/proxy/sse-parser.js'

function read(pieces: Buffer[]): { events: ServerEvent[]; comments: string[]; retries: number[] } {
  const events: ServerEvent[] = []
  const comments: string[] = []
  const retries: number[] = []
  const reader = new EventReader({
    event: event => events.push(event),
    comment: text => comments.push(text),
    retry: ms => retries.push(ms),
    tooLong: () => events.push({ ...none, data: 'too long' }),
  })
  for (const piece of pieces) reader.push(piece)
  return { events, comments, retries }
}

const none = { event: undefined, id: undefined }
const EXPECTED = [
  { ...none, event: 'message', data: '{"ä":1}', id: '7' },
  { ...none, data: 'one\ntwo' },
  { ...none, data: '', id: '8' },
]

describe('server-sent events', () => {
  it.each(['\n', '\r\n', '\r'])('are read with any line ending (%j), and however they are cut', end => {
    const lines = ['event: message', 'data: {"ä":1}', 'id:7', '', ': still here', 'data: one', 'data:two', '']
    const more = ['unknown: x', 'id: 8', 'retry: 100', 'data', '', 'data: never ended', '']
    const bytes = Buffer.from([...lines, ...more].join(end))
    for (let size = 1; size <= bytes.length; size++) {
      const pieces: Buffer[] = []
      for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size))
      expect(read(pieces)).toEqual({ events: EXPECTED, comments: ['still here'], retries: [100] })
    }
  })

  it('are written as they are read', () => {
    expect(read([Buffer.from(EXPECTED.map(eventText).join(''))]).events).toEqual(EXPECTED)
  })

  it('can be long', () => {
    const data = 'x'.repeat(8 * 1024 * 1024)
    const bytes = Buffer.from(`data: ${data}\n\n`)
    const pieces: Buffer[] = []
    for (let at = 0; at < bytes.length; at += 65_536) pieces.push(bytes.subarray(at, at + 65_536))
    expect(read(pieces).events).toEqual([{ ...none, data }])
  })

  it('are refused over 64 Mi characters, in one line or in many', () => {
    for (const piece of ['x'.repeat(1024 * 1024), `${'x'.repeat(1024 * 1024)}\ndata: `]) {
      let tooLong = 0
      const reader = new EventReader({
        event: () => undefined,
        comment: () => undefined,
        retry: () => undefined,
        tooLong: () => tooLong++,
      })
      reader.push(Buffer.from('data: '))
      for (let sent = 0; sent < 63; sent++) reader.push(Buffer.from(piece))
      expect(tooLong).toBe(0)
      reader.push(Buffer.from(piece))
      if (tooLong === 0) reader.push(Buffer.from(piece))
      expect(tooLong).toBe(1)
    }
  })
})
