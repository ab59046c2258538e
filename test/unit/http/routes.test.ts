import { describe, expect, it } from 'vitest'
import { type Route, RouteTable } from '../../../shared/http/routes.js'

function route(method: string, path: string): Route {
  return { method, path, run: async () => undefined }
}

const table = new RouteTable([
  route('GET', '/rooms/:room'),
  route('POST', '/rooms/:room/messages'),
  route('GET', '/rooms/:room/messages'),
  route('*', '/hook/:token'),
  route('GET', '/health'),
])

describe('a request', () => {
  it.each([
    ['GET', '/health', '/health', {}],
    ['HEAD', '/health', '/health', {}],
    ['GET', '/rooms/abc', '/rooms/:room', { room: 'abc' }],
    ['GET', '/rooms/a%20b%2Fc', '/rooms/:room', { room: 'a b/c' }],
    ['POST', '/rooms/abc/messages', '/rooms/:room/messages', { room: 'abc' }],
    ['PATCH', '/hook/7', '/hook/:token', { token: '7' }],
  ])('%s %s goes to %s', (method, path, pattern, params) => {
    const found = table.find(method, path)
    expect(found.route?.path).toBe(pattern)
    expect(found.params).toEqual(params)
  })

  it.each(['/', '', '/healthz', '/health/', '/rooms', '/rooms/', '/rooms/a/b', '/rooms/%E0%A4%A'])(
    'for %j finds nothing',
    path => {
      expect(table.find('GET', path)).toEqual({ route: undefined, params: {}, methods: [] })
    },
  )

  it('of another method learns which there are', () => {
    expect(table.find('DELETE', '/rooms/abc/messages')).toMatchObject({
      route: undefined,
      methods: ['POST', 'GET'],
    })
  })
})
