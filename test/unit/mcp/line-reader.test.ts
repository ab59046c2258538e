import { describe, expect, it } from 'vitest'
import { LineReader } from '../../../shared/mcp/line-reader.js'

function reader(maxBytes?: number) {
  const lines: string[] = []
  const complaints: string[] = []
  const reader = new LineReader(
    line => lines.push(line),
    why => complaints.push(why),
    maxBytes,
  )
  return { lines, complaints, push: (text: string | Buffer) => reader.push(Buffer.from(text)) }
}

describe('a line reader', () => {
  it('assembles lines from any pieces, also if a character is split in two', () => {
    const { lines, push } = reader()
    const bytes = Buffer.from('{"a":"é"}\r\n\n{"b":2}\n{"c"')
    for (const byte of bytes) push(Buffer.from([byte]))
    expect(lines).toEqual(['{"a":"é"}', '{"b":2}'])
  })

  it('skips a line over the limit, reports it once, and continues after it', () => {
    const { lines, complaints, push } = reader(10)
    push('x'.repeat(8))
    push('x'.repeat(8))
    push(`${'x'.repeat(50)}\nshort\n0123456789\n01234567890\n`)
    expect(lines).toEqual(['short', '0123456789'])
    expect(complaints).toHaveLength(2)
  })
})
