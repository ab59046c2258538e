/** One protocol message: a type byte, a length that counts itself, a body. `bytes` is all of it. */
export interface Frame {
  readonly type: string
  readonly bytes: Buffer
}

const HEADER = 5

/** A message says it is longer than is taken, or shorter than its own length field. */
export class BadFrame extends Error {}

/** Cuts a stream of typed messages, from either side, at their boundaries. */
export class Framer {
  #pieces: Buffer[] = []
  #held = 0
  #wanted = HEADER

  /** @param longest bytes a message may take */
  constructor(readonly longest: number) {}

  /**
   * @param bytes the next of the stream
   * @returns the messages it completes; views, no copies where a message came in one piece
   * @throws BadFrame for an impossible length: nothing after it can be trusted
   */
  push(bytes: Buffer): Frame[] {
    this.#pieces.push(bytes)
    this.#held += bytes.length
    // Joining only when a message is complete keeps a large one, arriving in many pieces, from being copied each time.
    if (this.#held < this.#wanted) return []
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
    this.#held = stream.length - at
    return frames
  }
}

/** Builds a message. Text parts are ended by a zero byte, as the protocol's strings are. */
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

/** A zero-terminated string at `at`, and where the next thing begins. */
export function readCstring(bytes: Buffer, at: number): { text: string; next: number } {
  const end = bytes.indexOf(0, at)
  if (end < 0) throw new BadFrame('a string without an end')
  return { text: bytes.toString('utf8', at, end), next: end + 1 }
}

/** Where a message's body begins. */
export const BODY = HEADER
