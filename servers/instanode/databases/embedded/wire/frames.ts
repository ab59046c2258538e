/**
 * One message of PostgreSQL's protocol. `bytes` is the whole message: one byte for the type, four bytes for
 * the length, and the body. The length counts itself and the body.
 */
export interface Frame {
  readonly type: string
  readonly bytes: Buffer
}

const HEADER = 5

/**
 * Thrown for a message that cannot be read: its length is impossible or too large, or one of its strings has
 * no end.
 */
export class BadFrame extends Error {}

/** Splits a stream of bytes from a client or from the engine into messages. */
export class Framer {
  #pieces: Buffer[] = []
  #buffered = 0
  #wanted = HEADER

  /** @param longest the longest message that is accepted, in bytes */
  constructor(readonly longest: number) {}

  /**
   * Adds bytes to the stream.
   *
   * @param bytes the next bytes of the stream
   * @returns the messages that are now complete. They may be views into `bytes`.
   * @throws BadFrame for an impossible length. The stream cannot be read any further.
   */
  push(bytes: Buffer): Frame[] {
    this.#pieces.push(bytes)
    this.#buffered += bytes.length
    // Pieces are joined only when a message is complete, so that a large message is copied once.
    if (this.#buffered < this.#wanted) return []
    const stream = this.#pieces.length === 1 ? bytes : Buffer.concat(this.#pieces)
    const frames: Frame[] = []
    let at = 0
    this.#wanted = HEADER
    while (stream.length - at >= HEADER) {
      const size = 1 + stream.readUInt32BE(at + 1)
      if (size < HEADER || size > this.longest) throw new BadFrame(`invalid message length ${size - 1}`)
      if (stream.length - at < size) {
        this.#wanted = size
        break
      }
      frames.push({
        type: String.fromCharCode(stream.readUInt8(at)),
        bytes: stream.subarray(at, at + size),
      })
      at += size
    }
    this.#pieces = at === stream.length ? [] : [stream.subarray(at)]
    this.#buffered = stream.length - at
    return frames
  }
}

/** Builds a message. @param parts the body in parts. A string part gets a zero byte at its end. */
export function frame(type: string, ...parts: (string | Buffer)[]): Buffer {
  const body = Buffer.concat(parts.map(part => (typeof part === 'string' ? cstring(part) : part)))
  const head = Buffer.alloc(HEADER)
  head.write(type, 'latin1')
  head.writeUInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

export function cstring(text: string): Buffer {
  return Buffer.from(`${text}\0`)
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

export function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

/**
 * Reads the zero-terminated string at `at`.
 *
 * @returns the string, and `next`, the position after its zero byte
 * @throws BadFrame if the zero byte is missing
 */
export function readCstring(bytes: Buffer, at: number): { text: string; next: number } {
  const end = bytes.indexOf(0, at)
  if (end < 0) throw new BadFrame('a string in the message has no end')
  return { text: bytes.toString('utf8', at, end), next: end + 1 }
}

/** Position of the body in a message, in bytes. */
export const BODY = HEADER
