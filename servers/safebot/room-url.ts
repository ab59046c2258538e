import { xsalsa20poly1305 } from '@noble/ciphers/salsa.js'
import { Refusal } from '../../shared/errors.js'
import type { IdSource } from '../../shared/ids.js'

/** The alphabet of generated room ids, as in the real client. It lacks I, O, 0 and 1, which look alike. */
const ID_ALPHABET = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789'
const ID_CHARS = 6

/** The path of every room URL matches this. */
const PATH = /^\/room\/([A-Za-z0-9_-]{4,64})\/?$/
const LOOPBACK = ['localhost', '127.0.0.1']

/** Maximum number of URLs in the cache. Each takes about 300 bytes. */
const MAX_CACHED_URLS = 1000

/** The parts of a room URL. */
export interface RoomAddress {
  /** Origin of the service that has the room. */
  readonly base: string
  readonly roomId: string
  /** The room key, 32 bytes. It is in the fragment of the URL, which an HTTP client does not send. */
  readonly key: Uint8Array
  /** The URL in canonical form. */
  readonly url: string
  /** Whether the room belongs to this process. False: another service has it. */
  readonly isLocal: boolean
}

/**
 * Creates and parses room URLs. Refuses a URL that names a service which is not allowed, because a caller
 * could otherwise make this process send requests to any server (SSRF).
 */
export class RoomUrls {
  #base: string
  readonly #hasRooms: boolean
  /** Origins of other replicas, which serve the same rooms. */
  readonly #replicaOrigins = new Set<string>()
  readonly #allowed: Set<string>
  /** Recently parsed rooms by URL. An agent sends the same URL with each call, and parsing is slow. */
  readonly #cache = new Map<string, RoomAddress>()

  /**
   * @param base origin of new rooms
   * @param allowed further origins that a URL may name
   * @param hasRooms whether the rooms at `base` belong to this process
   */
  constructor(base: string, allowed: readonly string[] = [], hasRooms = true) {
    this.#base = new URL(base).origin
    this.#hasRooms = hasRooms
    this.#allowed = new Set(allowed.map(origin => new URL(origin).origin))
  }

  /** The origin of new rooms. */
  get base(): string {
    return this.#base
  }

  /** Sets the origin of new rooms. Call this method when the server has begun to listen. */
  setBase(base: string): void {
    this.#base = new URL(base).origin
    this.#cache.clear()
  }

  /** Adds the origin of another replica. Its room URLs then count as local. */
  addReplicaOrigin(origin: string): void {
    if (!this.#hasRooms) return
    this.#replicaOrigins.add(origin)
    this.#cache.clear()
  }

  /**
   * Creates a room URL with a new id and key. No request is sent, so the service learns of the room with its
   * first message.
   *
   * @param base origin of the room. Default: {@link base}
   * @param ids source of the id and the key
   * @throws Refusal `bad_base`, or `base_not_allowed`
   */
  create(base: string | undefined, ids: IdSource): RoomAddress {
    const origin = new URL(base ? this.#checkBase(base) : this.#base)
    const roomId = ids.text(ID_ALPHABET, ID_CHARS)
    const address = this.#address(origin, roomId, ids.bytes(KEY_BYTES))
    this.#remember(address)
    return address
  }

  /** Returns the address of a room that belongs to this process. */
  localRoom(roomId: string, key: Buffer): RoomAddress {
    return this.#address(new URL(this.#base), roomId, key)
  }

  /**
   * Parses a room URL.
   *
   * @throws Refusal `bad_url` for another path, a missing key, or a key of another length; then
   *   `base_not_allowed`. The checks have this order, which is that of the real client.
   */
  parse(text: string): RoomAddress {
    const known = this.#cache.get(text)
    if (known !== undefined) return known
    const address = this.#parse(text)
    // Only canonical URLs are cached. Other forms of a URL can have any length.
    if (text === address.url) this.#remember(address)
    return address
  }

  /**
   * Returns the keys in the cached URLs of local rooms, by room id. A key may be wrong, because the service
   * cannot check the keys that callers send.
   */
  keys(): Map<string, Uint8Array[]> {
    const keys = new Map<string, Uint8Array[]>()
    for (const { isLocal, roomId, key } of this.#cache.values()) {
      if (isLocal) keys.set(roomId, (keys.get(roomId) ?? []).concat(key))
    }
    return keys
  }

  #remember(address: RoomAddress): void {
    if (this.#cache.size >= MAX_CACHED_URLS) this.#cache.clear()
    this.#cache.set(address.url, address)
  }

  #parse(text: string): RoomAddress {
    if (!URL.canParse(text)) throw new Refusal('bad_url', `Invalid URL ${quoteWithoutKey(text)}`, URL_HINT)
    const url = new URL(text)
    const roomId = PATH.exec(url.pathname)?.[1]
    if (roomId === undefined) {
      throw new Refusal(
        'bad_url',
        `not a SafeBot.Chat room URL (path must be /room/<id>): ${quoteWithoutKey(text)}`,
        URL_HINT,
      )
    }
    const encoded = new URLSearchParams(url.hash.slice(1)).get('k')
    if (!encoded) throw new Refusal('bad_url', 'URL is missing the #k=<key> fragment', URL_HINT)
    const key = Buffer.from(encoded, 'base64url')
    if (key.length !== KEY_BYTES) {
      throw new Refusal('bad_url', `room key must decode to ${KEY_BYTES} bytes, got ${key.length}`, URL_HINT)
    }
    this.#checkAllowed(url)
    return this.#address(url, roomId, key)
  }

  #checkBase(base: string): string {
    if (!URL.canParse(base)) throw new Refusal('bad_base', `bad base URL: ${base}`, BASE_HINT)
    const url = new URL(base)
    if (url.protocol !== 'http:' && url.protocol !== 'https:') {
      throw new Refusal('bad_base', `base URL must be http(s): ${base}`, BASE_HINT)
    }
    this.#checkAllowed(url)
    return url.origin
  }

  /** Returns whether an option or the environment of this process allows the origin. */
  isConfigured(origin: string): boolean {
    return origin === this.#base || this.#allowed.has(origin) || this.#replicaOrigins.has(origin)
  }

  #checkAllowed(url: URL): void {
    if (this.isConfigured(url.origin)) return
    if (url.protocol === 'http:' && LOOPBACK.includes(url.hostname)) return
    throw new Refusal(
      'base_not_allowed',
      `base URL '${url.origin}' not in allowlist (DEFAULT_BASE or SAFEBOT_MCP_ALLOWED_BASES)`,
      'if you trust this origin, add it to SAFEBOT_MCP_ALLOWED_BASES',
    )
  }

  #address(service: URL, roomId: string, key: Buffer): RoomAddress {
    const base = service.origin
    const url = `${base}/room/${roomId}#k=${key.toString('base64url')}`
    return { base, roomId, key, url, isLocal: this.#isLocal(service) }
  }

  /**
   * Returns whether a URL names this server: its origin, the origin of a replica, or its port under another
   * loopback name.
   */
  #isLocal(url: URL): boolean {
    if (!this.#hasRooms) return false
    if (url.origin === this.#base || this.#replicaOrigins.has(url.origin)) return true
    const here = new URL(this.#base)
    return (
      url.protocol === here.protocol &&
      url.port === here.port &&
      LOOPBACK.includes(url.hostname) &&
      LOOPBACK.includes(here.hostname)
    )
  }
}

const URL_HINT = 'send the whole URL that create_room has returned, <base>/room/<id>#k=<key>'
const BASE_HINT = 'send an origin such as http://127.0.0.1:4802, or leave base out'

/** Maximum number of characters that an error quotes from a URL. */
const MAX_QUOTED_CHARS = 200

/** Returns a URL for an error message. The part after the `#` is left out, because it may be a key. */
function quoteWithoutKey(text: string): string {
  const cut = text.replace(/#.*$/s, '#…')
  return JSON.stringify(cut.length > MAX_QUOTED_CHARS ? `${cut.slice(0, MAX_QUOTED_CHARS)}…` : cut)
}

/** Length of a room key in bytes. */
export const KEY_BYTES = 32

/** Length of a nonce of NaCl's secretbox in bytes. */
const NONCE_BYTES = 24

/** A sealed text with its nonce. */
export interface Sealed {
  /** Standard base64. */
  ciphertext: string
  /** Standard base64. */
  nonce: string
}

/**
 * Encrypts a text with NaCl's `secretbox` (XSalsa20-Poly1305).
 *
 * @param key room key, 32 bytes
 * @param ids source of the nonce
 */
export function seal(key: Uint8Array, text: string, ids: IdSource): Sealed {
  const nonce = ids.bytes(NONCE_BYTES)
  const sealed = xsalsa20poly1305(key, nonce).encrypt(Buffer.from(text, 'utf8'))
  return { ciphertext: Buffer.from(sealed).toString('base64'), nonce: nonce.toString('base64') }
}

/**
 * Decrypts a sealed message. Null if the key is wrong or the message is forged.
 *
 * @param key room key, 32 bytes
 */
export function unseal(key: Uint8Array, { ciphertext, nonce }: Sealed): string | null {
  try {
    const opened = xsalsa20poly1305(key, Buffer.from(nonce, 'base64')).decrypt(
      Buffer.from(ciphertext, 'base64'),
    )
    return Buffer.from(opened).toString('utf8')
  } catch {
    return null
  }
}
