import { xsalsa20poly1305 } from '@noble/ciphers/salsa.js'
import { Refusal } from '../../shared/errors.js'
import type { IdSource } from '../../shared/ids.js'

/** The alphabet of room ids, which can be read aloud: A-Z without I and O, 2-9. */
const ID_ALPHABET = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789'
const ID_CHARS = 6

const PATH = /^\/room\/([A-Za-z0-9_-]{4,64})\/?$/
const LOOPBACK = ['localhost', '127.0.0.1']

/** Largest number of remembered URLs, of some 300 bytes each. */
const MAX_READ = 1000

/** A room in a URL. The key is in the fragment, which no client sends to the service. */
export interface RoomAddress {
  readonly base: string
  readonly roomId: string
  readonly key: Uint8Array
  /** The canonical spelling of the URL. */
  readonly url: string
  /** Whether this process has the room, and not another service. */
  readonly here: boolean
}

/** Decides which services a room URL may name. Protects against crafted URLs (SSRF). */
export class RoomUrls {
  #base: string
  readonly #serves: boolean
  /** Further origins of the same service. */
  readonly #alsoHere = new Set<string>()
  readonly #allowed: Set<string>
  /** Recently read rooms, by URL. Agents send the same URL in call after call, and reading it is slow. */
  readonly #read = new Map<string, RoomAddress>()

  /**
   * @param base origin of the rooms created here
   * @param allowed further origins that a URL may name
   * @param serves whether the rooms at `base` belong to this process
   */
  constructor(base: string, allowed: readonly string[] = [], serves = true) {
    this.#base = new URL(base).origin
    this.#serves = serves
    this.#allowed = new Set(allowed.map(origin => new URL(origin).origin))
  }

  /** The origin of the rooms created here. */
  get base(): string {
    return this.#base
  }

  /** Changes the base of new rooms, because the server listens there now. */
  moveTo(base: string): void {
    this.#base = new URL(base).origin
    this.#read.clear()
  }

  /** Adds an origin of the same rooms: another process serves them from the same store. */
  serveAlso(origin: string): void {
    if (!this.#serves) return
    this.#alsoHere.add(origin)
    this.#read.clear()
  }

  /**
   * Creates a room URL with a new id and key. The service learns of the room with its first message.
   *
   * @param base origin of the room. Default: this server
   * @throws Refusal if the base is invalid or not allowed
   */
  create(base: string | undefined, ids: IdSource): RoomAddress {
    const origin = new URL(base ? this.#checkBase(base) : this.#base)
    const roomId = ids.text(ID_ALPHABET, ID_CHARS)
    const address = this.#address(origin, roomId, ids.bytes(KEY_BYTES))
    this.#remember(address)
    return address
  }

  /** Returns the address of a room in this process. */
  of(roomId: string, key: Buffer): RoomAddress {
    return this.#address(new URL(this.#base), roomId, key)
  }

  /**
   * @throws Refusal if the URL names no room, has no key, or names another service. Checked in that order.
   */
  parse(text: string): RoomAddress {
    const known = this.#read.get(text)
    if (known !== undefined) return known
    const address = this.#parse(text)
    // Other spellings may have any length, so only the canonical one is remembered.
    if (text === address.url) this.#remember(address)
    return address
  }

  /**
   * Returns the keys in recent URLs of rooms in this process. They may be wrong, because every caller can
   * send a wrong key.
   */
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

  /** Returns whether an option or the environment of this process names the service. */
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

  /** Returns whether a URL names this server: its port under any name of this machine. */
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

/** Returns a URL for an error. The part after the # may be a key, and is cut. */
function shown(text: string): string {
  const cut = text.replace(/#.*$/s, '#…')
  return JSON.stringify(cut.length > SHOWN_CHARS ? `${cut.slice(0, SHOWN_CHARS)}…` : cut)
}

/** Bytes of a room key. */
export const KEY_BYTES = 32

/** Bytes of a nonce of NaCl's secretbox. */
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

/** Returns the text of a sealed message. Null if the key does not open it. */
export function unseal(key: Uint8Array, { ciphertext, nonce }: Sealed): string | null {
  try {
    const opened = xsalsa20poly1305(key, Buffer.from(nonce, 'base64')).decrypt(
      Buffer.from(ciphertext, 'base64'),
    )
    return Buffer.from(opened).toString('utf8')
  } catch {
    // A wrong key and a forged message look the same.
    return null
  }
}
