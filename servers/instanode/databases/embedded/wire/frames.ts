/**
 * One protocol message: a type byte, a length that includes itself, and a body. `bytes` is the whole message.
 */
export interface Frame {
  readonly type: string
  readonly bytes: Buffer
}

const HEADER = 5

/** Thrown for a message whose length is above the limit, or below the size of its own length field. */
export class BadFrame extends Error {}

/** Splits a stream of typed messages, from either side, into messages. */
export class Framer {
  #pieces: Buffer[] = []
  #buffered = 0
  #wanted = HEADER

  /** @param longest limit of a message, in bytes */
  constructor(readonly longest: number) {}

  /**
   * @param bytes the next bytes of the stream
   * @returns the messages that are now complete. A message that came in one piece is a view, not a copy.
   * @throws BadFrame for an impossible length. The rest of the stream cannot be read then.
   */
  push(bytes: Buffer): Frame[] {
    this.#pieces.push(bytes)
    this.#buffered += bytes.length
    // Pieces are joined when a message is complete, so that a large message is copied once.
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

/** Builds a message. Text parts get a zero byte at the end, as the protocol's strings have. */
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

/** Reads a zero-terminated string at `at`. `next` is the position after it. */
export function readCstring(bytes: Buffer, at: number): { text: string; next: number } {
  const end = bytes.indexOf(0, at)
  if (end < 0) throw new BadFrame('a string without an end')
  return { text: bytes.toString('utf8', at, end), next: end + 1 }
}

/** Position of a message's body, in bytes. */
export const BODY = HEADER
