import { createCipheriv, createHash, randomBytes } from 'node:crypto'
import { customRandom } from 'nanoid'

const BLOCK = 4096

/**
 * Where every id, token, key and nonce of an instance comes from.
 *
 * An AES-256-CTR keystream: with a seed the same draws give the same bytes, without one the key is random
 * and the stream is as strong as the machine's own randomness. `stream` splits off an independent
 * source by name, so that what one part draws (session ids, say) does not shift what another gets.
 */
export class IdSource {
  readonly #key: Buffer
  readonly #keystream: ReturnType<typeof createCipheriv>
  #block = Buffer.alloc(0)
  #used = 0

  /** @param seed any text; omitted, every instance draws differently */
  constructor(seed?: string | Buffer) {
    this.#key = seed === undefined ? randomBytes(32) : createHash('sha256').update(seed).digest()
    this.#keystream = createCipheriv('aes-256-ctr', this.#key, Buffer.alloc(16))
  }

  /** An independent source; the same seed and name give the same one. */
  stream(name: string): IdSource {
    return new IdSource(Buffer.concat([this.#key, Buffer.from(name)]))
  }

  /** The next `size` bytes. */
  bytes(size: number): Buffer {
    if (this.#used + size > this.#block.length) {
      const rest = this.#block.subarray(this.#used)
      const fresh = this.#keystream.update(Buffer.alloc(Math.max(BLOCK, size)))
      this.#block = Buffer.concat([rest, fresh])
      this.#used = 0
    }
    const drawn = Buffer.from(this.#block.subarray(this.#used, this.#used + size))
    this.#used += size
    return drawn
  }

  /** A text of `size` characters of `alphabet`, each equally likely. */
  text(alphabet: string, size: number): string {
    return customRandom(alphabet, size, count => this.bytes(count))()
  }

  /** `size` lower-case hexadecimal digits; `size` is even. */
  hex(size: number): string {
    return this.bytes(size / 2).toString('hex')
  }

  /** A version 4 UUID (RFC 9562), lower case. */
  uuid(): string {
    const bytes = this.bytes(16)
    bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6)
    bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
    const hex = bytes.toString('hex')
    const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)]
    // Joined, not pasted: V8 keeps a pasted string as a tree of its pieces, five times the size, and ids are kept long.
    return parts.join('-')
  }
}
