import { xsalsa20poly1305 } from '@noble/ciphers/salsa.js'
import { Refusal } from '../../shared/errors.js'
import type { IdSource } from '../../shared/ids.js'

/** Ids that can be read out loud: A-Z without I and O, 2-9. */
const ID_ALPHABET = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789'
const ID_CHARS = 6

const PATH = /^\/room\/([A-Za-z0-9_-]{4,64})\/?$/
const LOOPBACK = ['localhost', '127.0.0.1']

/** URLs remembered; at some 300 bytes each they take no memory to speak of. */
const MAX_READ = 1000

/** A room as its URL names it. The key stands in the fragment, which no client sends to the service. */
export interface RoomAddress {
  readonly base: string
  readonly roomId: string
  readonly key: Uint8Array
  /** The URL in its one canonical spelling. */
  readonly url: string
  /** Whether this process has the room, and not a service far away. */
  readonly here: boolean
}

/** Which services a room URL may name: the guard against being sent elsewhere with a crafted URL (SSRF). */
export class RoomUrls {
  #base: string
  readonly #serves: boolean
  /** Further origins of the same service. */
  readonly #alsoHere = new Set<string>()
  readonly #allowed: Set<string>
  /** What was read lately, by its URL: agents name the same room in call after call, and reading a URL is dear. */
  readonly #read = new Map<string, RoomAddress>()

  /**
   * @param base of the rooms made here
   * @param allowed further origins that may be named
   * @param serves whether the rooms at `base` are this process's own
   */
  constructor(base: string, allowed: readonly string[] = [], serves = true) {
    this.#base = new URL(base).origin
    this.#serves = serves
    this.#allowed = new Set(allowed.map(origin => new URL(origin).origin))
  }

  /** The origin of the rooms made here. */
  get base(): string {
    return this.#base
  }

  /** Rooms are made at another base from now on: the server has begun to listen there. */
  moveTo(base: string): void {
    this.#base = new URL(base).origin
    this.#read.clear()
  }

  /** Rooms at that origin are here as well: another process serves them from the same store. */
  serveAlso(origin: string): void {
    if (!this.#serves) return
    this.#alsoHere.add(origin)
    this.#read.clear()
  }

  /**
   * A room that nobody knows yet: an id and a key, nothing more; the service hears of it with its first message.
   *
   * @param base where it is to be; default: here
   * @throws Refusal if the base is none, or not allowed
   */
  create(base: string | undefined, ids: IdSource): RoomAddress {
    const origin = new URL(base ? this.#checkBase(base) : this.#base)
    const roomId = ids.text(ID_ALPHABET, ID_CHARS)
    const address = this.#address(origin, roomId, ids.bytes(KEY_BYTES))
    this.#remember(address)
    return address
  }

  /** A room that is here. */
  of(roomId: string, key: Buffer): RoomAddress {
    return this.#address(new URL(this.#base), roomId, key)
  }

  /** @throws Refusal for a URL that names no room, lacks its key, or leads elsewhere; checked in that order */
  parse(text: string): RoomAddress {
    const known = this.#read.get(text)
    if (known !== undefined) return known
    const address = this.#parse(text)
    // Only the canonical spelling: another may be of any length.
    if (text === address.url) this.#remember(address)
    return address
  }

  /** The keys under which rooms that are here have been named lately, by room: anybody can name one with a wrong key. */
  keys(): Map<string, Uint8Array[]> {
    const keys = new Map<string, Uint8Array[]>()
    for (const { here, roomId, key } of this.#read.values()) {
      if (here) keys.set(roomId, (keys.get(roomId) ?? []).concat(key))
    }
    return keys
  }

  #remember(address: RoomAddress): void {
    if (this.#read.size >= MAX_READ) this.#read.clear()
    this.#read.set(address.url, address)
  }

  #parse(text: string): RoomAddress {
    if (!URL.canParse(text)) throw new Refusal('bad_url', `Invalid URL ${shown(text)}`, HOW)
    const url = new URL(text)
    const roomId = PATH.exec(url.pathname)?.[1]
    if (roomId === undefined) {
      throw new Refusal(
        'bad_url',
        `not a SafeBot.Chat room URL (path must be /room/<id>): ${shown(text)}`,
        HOW,
      )
    }
    const encoded = new URLSearchParams(url.hash.slice(1)).get('k')
    if (!encoded) throw new Refusal('bad_url', 'URL is missing the #k=<key> fragment', HOW)
    const key = Buffer.from(encoded, 'base64url')
    if (key.length !== KEY_BYTES) {
      throw new Refusal('bad_url', `room key must decode to ${KEY_BYTES} bytes, got ${key.length}`, HOW)
    }
    this.#checkAllowed(url)
    return this.#address(url, roomId, key)
  }

  #checkBase(base: string): string {
    if (!URL.canParse(base)) throw new Refusal('bad_base', `bad base URL: ${base}`, HOW_BASE)
    const url = new URL(base)
    if (url.protocol !== 'http:' && url.protocol !== 'https:') {
      throw new Refusal('bad_base', `base URL must be http(s): ${base}`, HOW_BASE)
    }
    this.#checkAllowed(url)
    return url.origin
  }

  /** Whether the person who started this process named the service, by an option or the environment. */
  isNamed(origin: string): boolean {
    return origin === this.#base || this.#allowed.has(origin) || this.#alsoHere.has(origin)
  }

  #checkAllowed(url: URL): void {
    if (this.isNamed(url.origin)) return
    if (url.protocol === 'http:' && LOOPBACK.includes(url.hostname)) return
    throw new Refusal(
      'base_not_allowed',
      `base URL '${url.origin}' not in allowlist (DEFAULT_BASE or SAFEBOT_MCP_ALLOWED_BASES)`,
      'name the origin in SAFEBOT_MCP_ALLOWED_BASES if it is to be trusted',
    )
  }

  #address(service: URL, roomId: string, key: Buffer): RoomAddress {
    const base = service.origin
    const url = `${base}/room/${roomId}#k=${key.toString('base64url')}`
    return { base, roomId, key, url, here: this.#servedHere(service) }
  }

  /** The same port under any name of this machine is the same service. */
  #servedHere(url: URL): boolean {
    if (!this.#serves) return false
    if (url.origin === this.#base || this.#alsoHere.has(url.origin)) return true
    const here = new URL(this.#base)
    return (
      url.protocol === here.protocol &&
      url.port === here.port &&
      LOOPBACK.includes(url.hostname) &&
      LOOPBACK.includes(here.hostname)
    )
  }
}

const HOW = 'give the whole URL that create_room returned, <base>/room/<id>#k=<key>'
const HOW_BASE = 'give an origin such as http://127.0.0.1:4802, or leave it out'
const SHOWN_CHARS = 200

/** A URL as an error may show it: what stands behind the # may be a key. */
function shown(text: string): string {
  const cut = text.replace(/#.*$/s, '#…')
  return JSON.stringify(cut.length > SHOWN_CHARS ? `${cut.slice(0, SHOWN_CHARS)}…` : cut)
}

/** Bytes of a room key. */
export const KEY_BYTES = 32

/** NaCl's secretbox takes nonces of this size. */
const NONCE_BYTES = 24

export interface Sealed {
  /** Standard base64. */
  ciphertext: string
  /** Standard base64. */
  nonce: string
}

/** Seals a text with a room's key, as NaCl `secretbox` (XSalsa20-Poly1305) does. */
export function seal(key: Uint8Array, text: string, ids: IdSource): Sealed {
  const nonce = ids.bytes(NONCE_BYTES)
  const sealed = xsalsa20poly1305(key, nonce).encrypt(Buffer.from(text, 'utf8'))
  return { ciphertext: Buffer.from(sealed).toString('base64'), nonce: nonce.toString('base64') }
}

/** The text of a sealed message; null if this key does not open it. */
export function unseal(key: Uint8Array, { ciphertext, nonce }: Sealed): string | null {
  try {
    const opened = xsalsa20poly1305(key, Buffer.from(nonce, 'base64')).decrypt(
      Buffer.from(ciphertext, 'base64'),
    )
    return Buffer.from(opened).toString('utf8')
  } catch {
    // A wrong key, and a message somebody made up, are the same to the reader: it cannot be opened.
    return null
  }
}
