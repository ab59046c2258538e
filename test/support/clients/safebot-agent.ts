import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { type RawAnswer, send } from './raw-http.js'

/** Overrides for the timestamp and nonce of a signature. */
export interface Stamp {
  /** Milliseconds since the epoch. */
  ts?: number
  nonce?: string
}

/** A sealed text, or anything that looks like one. */
export interface Cipher {
  ciphertext: string
  nonce: string
}

/**
 * A client of Safebot's HTTP API written against its description alone: keys of its own, and none of the product's code.
 * Everything it sends can be sent slightly wrong.
 */
export class SafebotAgent {
  /** Base64 of the 32 bytes of its X25519 key. */
  readonly boxPub = rawPublic(generateKeyPairSync('x25519').publicKey)
  /** Base64 of the 32 bytes of its Ed25519 key. */
  readonly signPub: string
  readonly #key: KeyObject

  /**
   * @param base the origin of the service, e.g. `http://127.0.0.1:4802`
   * @param now the service's time, in milliseconds since the epoch
   */
  constructor(
    readonly base: string,
    readonly handle: string,
    readonly now: () => number,
  ) {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    this.#key = privateKey
    this.signPub = rawPublic(publicKey)
  }

  /** The Ed25519 signature of a text, in base64. */
  sign(text: string): string {
    return sign(null, Buffer.from(text), this.#key).toString('base64')
  }

  /** The body of a registration. */
  registration({ ts = this.now(), handle = this.handle }: { ts?: number; handle?: string } = {}) {
    const { boxPub, signPub } = this
    return {
      handle,
      box_pub: boxPub,
      sign_pub: signPub,
      register_ts: ts,
      register_sig: this.sign(`register ${handle} ${ts} ${boxPub} ${signPub}`),
    }
  }

  /** The `Authorization` header of a request. @param target path and query */
  authorization(method: string, target: string, { ts = this.now(), nonce = freshNonce() }: Stamp = {}) {
    return `SafeBot ts=${ts},n=${nonce},sig=${this.sign(`${method} ${target} ${ts} ${nonce}`)}`
  }

  /** The fields that make a message a signed one. */
  vouching(roomId: string, ciphertext: string, { ts = this.now(), nonce = freshNonce() }: Stamp = {}) {
    const digest = createHash('sha256').update(ciphertext).digest('hex')
    return {
      sender_handle: this.handle,
      sender_ts: ts,
      sender_nonce: nonce,
      sender_sig: this.sign(`room-msg ${roomId} ${ts} ${nonce} ${digest}`),
    }
  }

  register(more: object = {}): Promise<RawAnswer> {
    return this.post('/api/identity/register', { ...this.registration(), ...more })
  }

  /** Sends a message under its handle as a mere label. @param cipher default: bytes that no key opens */
  say(roomId: string, cipher: Cipher = anyCipher(), more: object = {}): Promise<RawAnswer> {
    return this.post(`/api/rooms/${roomId}/messages`, { ...cipher, sender: this.handle, ...more })
  }

  /** Sends a message that it vouches for. */
  saySigned(roomId: string, cipher: Cipher = anyCipher(), more: object = {}): Promise<RawAnswer> {
    const { ciphertext } = cipher
    return this.post(`/api/rooms/${roomId}/messages`, {
      ...cipher,
      ...this.vouching(roomId, ciphertext),
      ...more,
    })
  }

  /** @param query e.g. `?timeout=60` */
  claim(roomId: string, query = '', more: object = {}): Promise<RawAnswer> {
    return this.signed(`/api/rooms/${roomId}/claim${query}`, more)
  }

  ack(roomId: string, claim: { claim_id?: unknown; seq?: unknown }): Promise<RawAnswer> {
    return this.signed(`/api/rooms/${roomId}/ack`, claim)
  }

  /** A POST signed for, with the handle in its body. @param target path and query */
  signed(target: string, more: object = {}, stamp: Stamp = {}): Promise<RawAnswer> {
    const authorization = this.authorization('POST', target, stamp)
    return this.post(target, { handle: this.handle, ...more }, { authorization })
  }

  /** @param body sent as it stands if it is a text, as JSON if not */
  post(target: string, body: unknown, headers: Record<string, string> = {}): Promise<RawAnswer> {
    return send(this.base + target, { headers, body })
  }

  get(target: string, headers: Record<string, string> = {}): Promise<RawAnswer> {
    return send(this.base + target, { method: 'GET', headers })
  }
}

/** An agent that the service knows. */
export async function registeredAgent(
  base: string,
  handle: string,
  now: () => number,
): Promise<SafebotAgent> {
  const agent = new SafebotAgent(base, handle, now)
  const { status, body } = await agent.register()
  if (status !== 201) throw new Error(`registering ${handle} was answered ${status} ${body}`)
  return agent
}

/** Bytes in the shape of a message. @param bytes of the ciphertext */
export function anyCipher(bytes = 40): Cipher {
  return { ciphertext: randomBytes(bytes).toString('base64'), nonce: randomBytes(24).toString('base64') }
}

/** As the service takes them: 16 to 64 of the alphabets of base64. */
export function freshNonce(): string {
  return randomBytes(18).toString('base64')
}

function rawPublic(key: KeyObject): string {
  const { x = '' } = key.export({ format: 'jwk' })
  return Buffer.from(x, 'base64url').toString('base64')
}
