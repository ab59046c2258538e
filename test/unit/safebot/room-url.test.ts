import { describe, expect, it } from 'vitest'
import { RoomUrls } from '../../../servers/safebot/room-url.js'
import { IdSource } from '../../../shared/ids.js'

const BASE = 'http://127.0.0.1:4802'
const KEY = Buffer.alloc(32, 7).toString('base64url')
const urls = new RoomUrls(BASE, ['https://relay.example'])

const refusal = (url: string) => {
  try {
    urls.parse(url)
  } catch (error) {
    return String(error)
  }
  throw new Error(`${url} was accepted`)
}

describe('a new room', () => {
  // fidelity safebot/mcp, same: A room id has six letters and digits that are not easily confused. A key has
  // 32 bytes.
  it('has six characters that are easy to read aloud, and a key of 32 bytes', () => {
    const room = urls.create(undefined, new IdSource('a'))
    expect(room.roomId).toMatch(/^[A-HJ-NP-Z2-9]{6}$/)
    expect(room.url).toBe(`${BASE}/room/${room.roomId}#k=${Buffer.from(room.key).toString('base64url')}`)
    expect(urls.parse(room.url)).toEqual(room)
  })

  // fidelity safebot/mcp, same: `create_room` accepts another allowed base, with or without a slash at its
  // end.
  it('can be on another allowed service', () => {
    expect(urls.create('https://relay.example/', new IdSource('a')).base).toBe('https://relay.example')
    expect(urls.create('', new IdSource('a')).base).toBe(BASE)
  })

  it.each([
    ['nonsense', 'bad base URL: nonsense'],
    ['ftp://127.0.0.1', 'base URL must be http(s): ftp://127.0.0.1'],
    ['https://evil.invalid', "base URL 'https://evil.invalid' not in allowlist"],
    ['http://[::1]:4802', "base URL 'http://[::1]:4802' not in allowlist"],
    ['https://localhost', "base URL 'https://localhost' not in allowlist"],
  ])('cannot be at %s', (base, message) => {
    expect(() => urls.create(base, new IdSource('a'))).toThrow(message)
  })
})

describe('a room URL', () => {
  // fidelity safebot/mcp, same: A room URL may have a slash or a query after the room id.
  // fidelity safebot/mcp, same: Plain http on localhost and 127.0.0.1 is in the allowlist.
  it('is the same room under every name of this machine, with a slash or a query', () => {
    for (const url of [
      `${BASE}/room/ABCD#k=${KEY}`,
      `${BASE}/room/ABCD/#k=${KEY}`,
      `${BASE}/room/ABCD?x=1#a=b&k=${KEY}`,
      `http://localhost:4802/room/ABCD#k=${KEY}`,
    ]) {
      expect(urls.parse(url).roomId).toBe('ABCD')
    }
  })

  // fidelity safebot/mcp, same: A bad room URL is refused in the order path, key, length of the key,
  // allowlist.
  it('is refused in the order path, key, length of key, allowlist', () => {
    expect(refusal('garbage')).toContain('Invalid URL')
    expect(refusal('https://evil.invalid/rooms/ABCD')).toContain('path must be /room/<id>')
    expect(refusal('https://evil.invalid/room/ABC')).toContain('path must be /room/<id>')
    expect(refusal('https://evil.invalid/room/ABCD')).toContain('missing the #k=<key> fragment')
    expect(refusal('https://evil.invalid/room/ABCD#k=')).toContain('missing the #k=<key> fragment')
    expect(refusal('https://evil.invalid/room/ABCD#k=AAAA')).toContain('must decode to 32 bytes, got 3')
    expect(refusal(`https://evil.invalid/room/ABCD#k=${KEY}`)).toContain('not in allowlist')
  })

  it('is local if it is of this process, and remote otherwise', () => {
    expect(urls.parse(`${BASE}/room/ABCD#k=${KEY}`).isLocal).toBe(true)
    expect(urls.parse(`http://localhost:4802/room/ABCD#k=${KEY}`).isLocal).toBe(true)
    expect(urls.parse(`http://127.0.0.1:9999/room/ABCD#k=${KEY}`).isLocal).toBe(false)
    const client = new RoomUrls(BASE, [], false)
    expect(client.parse(`${BASE}/room/ABCD#k=${KEY}`).isLocal).toBe(false)
  })

  // fidelity safebot/mcp, differs: The refusal of a bad URL repeats the URL. Here: It leaves out the part
  // after `#`, because that may be a key.
  it('does not show its key in an error', () => {
    expect(refusal(`http://127.0.0.1:4802/rooms/ABCD#k=${KEY}`)).not.toContain(KEY)
    expect(refusal(`not a url #k=${KEY}`)).not.toContain(KEY)
  })
})
