import { createCipheriv, createHash, randomBytes } from 'node:crypto'
import { customRandom } from 'nanoid'

const BLOCK = 4096

/** Bytes of a block of AES: what its counter counts. */
const COUNTED = 16

/** How far a source and those split off from it have been drawn, as plain data. */
export interface IdPositions {
  /** In bytes. */
  readonly drawn: number
  /** By name; one that is not here is at its beginning. */
  readonly streams: Readonly<Record<string, IdPositions>>
}

const BEGINNING: IdPositions = { drawn: 0, streams: {} }

/**
 * The source of all ids, tokens, keys and nonces of an instance.
 *
 * It is an AES-256-CTR keystream. With a seed the same draws give the same bytes. Without a seed the key is random,
 * and the stream is as strong as the machine's own randomness. `stream` returns an independent source for a name, so
 * that the draws of one part (session ids, say) do not change those of another.
 */
export class IdSource {
  readonly #seed: string | Buffer
  readonly #key: Buffer
  readonly #streams = new Map<string, IdSource>()
  #keystream: ReturnType<typeof createCipheriv>
  #block = Buffer.alloc(0)
  #used = 0
  #drawn = 0

  /** @param seed any text; omitted, every instance draws differently */
  constructor(seed: string | Buffer = randomBytes(32)) {
    this.#seed = seed
    this.#key = createHash('sha256').update(seed).digest()
    this.#keystream = keystream(this.#key, 0)
  }

  /** An independent source. The same name gives the same one, wherever it has got to. */
  stream(name: string): IdSource {
    const known = this.#streams.get(name)
    if (known !== undefined) return known
    const made = new IdSource(Buffer.concat([this.#key, Buffer.from(name)]))
    this.#streams.set(name, made)
    return made
  }

  /** A source that draws what this one drew from its beginning on, streams included; neither shifts the other. */
  fromBeginning(): IdSource {
    return new IdSource(this.#seed)
  }

  positions(): IdPositions {
    const streams = [...this.#streams].map(([name, source]) => [name, source.positions()] as const)
    return { drawn: this.#drawn, streams: Object.fromEntries(streams) }
  }

  /** Goes back, or forward, to where this source and its streams were: from there on they draw the same again. */
  moveTo({ drawn, streams }: IdPositions): void {
    this.#keystream = keystream(this.#key, drawn)
    this.#block = Buffer.alloc(0)
    this.#used = 0
    this.#drawn = drawn
    for (const name of Object.keys(streams)) this.stream(name)
    for (const [name, source] of this.#streams) source.moveTo(streams[name] ?? BEGINNING)
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
    this.#drawn += size
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

/** @param from how many bytes of it have gone by */
function keystream(key: Buffer, from: number): ReturnType<typeof createCipheriv> {
  const counter = Buffer.alloc(COUNTED)
  counter.writeBigUInt64BE(BigInt(Math.floor(from / COUNTED)), COUNTED / 2)
  const cipher = createCipheriv('aes-256-ctr', key, counter)
  cipher.update(Buffer.alloc(from % COUNTED))
  return cipher
}
