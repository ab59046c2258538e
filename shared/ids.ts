import { createCipheriv, createHash, randomBytes } from 'node:crypto'
import { customRandom } from 'nanoid'

/** Minimum number of bytes that are generated at once. */
const BUFFER_BYTES = 4096

/** Size of an AES block in bytes. The counter of CTR mode counts these blocks. */
const AES_BLOCK_BYTES = 16

/** The number of bytes drawn from a source and from each of its streams, as plain data. */
export interface IdPositions {
  /** Number of bytes drawn from the source itself. */
  readonly drawn: number
  /** Positions of the streams by name. A stream that is missing here is at its beginning. */
  readonly streams: Readonly<Record<string, IdPositions>>
}

const BEGINNING: IdPositions = { drawn: 0, streams: {} }

/**
 * The source of all ids, tokens, keys and nonces of an instance.
 *
 * It is an AES-256-CTR keystream. With the same seed, the same draws give the same bytes. Without a seed the
 * key is random, and the stream is as strong as the machine's own randomness. `stream` returns an independent
 * source for a name, so that the number of session ids drawn, for example, does not change the other ids.
 */
export class IdSource {
  readonly #seed: string | Buffer
  readonly #key: Buffer
  readonly #streams = new Map<string, IdSource>()
  #keystream: ReturnType<typeof createCipheriv>
  #block = Buffer.alloc(0)
  #used = 0
  #drawn = 0

  /** @param seed any text. Default: random bytes, so that every instance draws different ids */
  constructor(seed: string | Buffer = randomBytes(32)) {
    this.#seed = seed
    this.#key = createHash('sha256').update(seed).digest()
    this.#keystream = keystream(this.#key, 0)
  }

  /**
   * Returns the independent source with this name. Repeated calls return the same source, which keeps its
   * position.
   */
  stream(name: string): IdSource {
    const known = this.#streams.get(name)
    if (known !== undefined) return known
    const made = new IdSource(Buffer.concat([this.#key, Buffer.from(name)]))
    this.#streams.set(name, made)
    return made
  }

  /**
   * Returns a new source with the same seed. The new source and its streams are at their beginning. Draws
   * from the new source do not move this source.
   */
  fromBeginning(): IdSource {
    return new IdSource(this.#seed)
  }

  positions(): IdPositions {
    const streams = [...this.#streams].map(([name, source]) => [name, source.positions()] as const)
    return { drawn: this.#drawn, streams: Object.fromEntries(streams) }
  }

  /**
   * Moves this source and its streams to the given positions, which can be earlier or later ones. The next
   * draws then give the bytes that belong to those positions.
   */
  moveTo({ drawn, streams }: IdPositions): void {
    this.#keystream = keystream(this.#key, drawn)
    this.#block = Buffer.alloc(0)
    this.#used = 0
    this.#drawn = drawn
    for (const name of Object.keys(streams)) this.stream(name)
    for (const [name, source] of this.#streams) source.moveTo(streams[name] ?? BEGINNING)
  }

  /** Draws the next `size` bytes. */
  bytes(size: number): Buffer {
    if (this.#used + size > this.#block.length) {
      const rest = this.#block.subarray(this.#used)
      const fresh = this.#keystream.update(Buffer.alloc(Math.max(BUFFER_BYTES, size)))
      this.#block = Buffer.concat([rest, fresh])
      this.#used = 0
    }
    const drawn = Buffer.from(this.#block.subarray(this.#used, this.#used + size))
    this.#used += size
    this.#drawn += size
    return drawn
  }

  /** Draws a text of `size` characters. Each character of `alphabet` is equally likely. */
  text(alphabet: string, size: number): string {
    return customRandom(alphabet, size, count => this.bytes(count))()
  }

  /** Draws `size` lower-case hexadecimal digits. `size` must be even. */
  hex(size: number): string {
    return this.bytes(size / 2).toString('hex')
  }

  /** Draws a version 4 UUID (RFC 9562) in lower case. */
  uuid(): string {
    const bytes = this.bytes(16)
    bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6)
    bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
    const hex = bytes.toString('hex')
    const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)]
    // V8 stores a concatenated string as a tree of its parts, which takes five times the memory. Ids stay in
    // memory for a long time, so `join` builds a flat string.
    return parts.join('-')
  }
}

/** Creates the keystream of a key. @param from number of bytes to skip */
function keystream(key: Buffer, from: number): ReturnType<typeof createCipheriv> {
  const counter = Buffer.alloc(AES_BLOCK_BYTES)
  counter.writeBigUInt64BE(BigInt(Math.floor(from / AES_BLOCK_BYTES)), AES_BLOCK_BYTES / 2)
  const cipher = createCipheriv('aes-256-ctr', key, counter)
  cipher.update(Buffer.alloc(from % AES_BLOCK_BYTES))
  return cipher
}
