import { describe, expect, it } from 'vitest'
import { deliveryEntry } from '../../../servers/instanode/http/receive.js'
import { goJson } from '../../../shared/util/go-json.js'

function entryOf(rawHeaders: string[], body: Buffer = Buffer.alloc(0)) {
  const request = { id: 'i', method: 'POST', path: '/p', query: 'a=1' }
  return deliveryEntry({ ...request, rawHeaders, body, receivedAt: Date.parse('2026-01-01T00:00:07.999Z') })
}

describe('a delivery in the log', () => {
  it('has its headers in canonical spelling, repeated ones joined, without Host', () => {
    const raw = ['x-REQUEST-id', '1', 'HOST', 'h', 'X-Tag', 'a', 'x-tag', 'b', 'content-length', '0']
    expect(entryOf(raw).headers).toEqual({ 'X-Request-Id': '1', 'X-Tag': 'a, b', 'Content-Length': '0' })
  })

  it('keeps a header whose name is a member of every object', () => {
    expect(goJson(entryOf(['__proto__', 'x']).headers)).toBe('{"__proto__":"x"}')
  })

  // fidelity instanode/http, same: A body that is text is shown as it is, with NUL characters.
  it('shows a text unchanged, also with NUL, and any other body in base64', () => {
    expect(entryOf([], Buffer.from('é\0'))).toMatchObject({ body: 'é\0', encoding: 'utf8' })
    expect(entryOf([], Buffer.from([0xff, 0, 1]))).toMatchObject({ body: '/wAB', encoding: 'base64' })
    expect(entryOf([])).toMatchObject({ body: '', encoding: 'utf8' })
  })

  // fidelity instanode/http, same: An entry of the log has its time in whole seconds.
  it('has its time in whole seconds', () => {
    expect(entryOf([]).received_at).toBe('2026-01-01T00:00:07Z')
  })
})

describe('JSON as the service writes it', () => {
  // fidelity instanode/http, same: JSON has its keys in alphabetical order.
  it('has its keys in alphabetical order at all levels', () => {
    expect(goJson({ b: 1, a: { d: [{ z: 1, y: 2 }], c: null } })).toBe(
      '{"a":{"c":null,"d":[{"y":2,"z":1}]},"b":1}',
    )
  })

  // fidelity instanode/http, same: JSON escapes `<`, `>` and `&`.
  it('escapes characters that can end a script', () => {
    const text = '<script>&'
    expect(goJson({ text })).toBe('{"text":"\\u003cscript\\u003e\\u0026"}')
    expect(JSON.parse(goJson({ text }))).toEqual({ text })
  })
})
