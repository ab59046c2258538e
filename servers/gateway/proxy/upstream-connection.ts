import type { Socket } from 'node:net'
import { machineNow } from '../../../shared/clock/clock.js'
import { AnswerBody } from './response-body.js'
import { type AnswerHead, type Framing, readHead } from './response-head.js'

/** The longest line that tells the size of a chunk; extensions are nobody's business. */
const MAX_SIZE_LINE = 1024

const HEAD_END = '\r\n\r\n'

/** As much as Node's own parser takes. */
const MAX_HEAD_BYTES = 64 * 1024

/** How long an upstream that says nothing of it is taken to keep an idle connection: Node's servers do for five seconds. */
const IDLE_MS = 4000

export interface ConnectionSink {
  head(head: AnswerHead, body: AnswerBody): void
  /** No answer came, or what came was none. */
  fail(why: string): void
}

/** One connection to the upstream, with one request at a time on it. */
export class Connection {
  readonly #socket: Socket
  /** The connection is free for another request. */
  readonly #onFree: (connection: Connection) => void
  readonly #onClose: (connection: Connection) => void
  /** Until the head has come. */
  #sink: ConnectionSink | undefined
  /** Until the end of the body has. */
  #current: ConnectionSink | undefined
  #received: Buffer | undefined
  #body: { body: AnswerBody; framing: BodyFraming; head: AnswerHead } | undefined
  #idleUntil = 0
  #error: NodeJS.ErrnoException | undefined

  constructor(
    socket: Socket,
    onFree: (connection: Connection) => void,
    onClose: (connection: Connection) => void,
  ) {
    this.#socket = socket
    this.#onFree = onFree
    this.#onClose = onClose
    socket.on('data', chunk => this.#data(chunk))
    socket.on('error', error => {
      this.#error = error
    })
    socket.on('end', () => socket.destroy())
    socket.on('close', () => this.#closed())
  }

  /** Whether an idle one may still be there on the other side. */
  get fresh(): boolean {
    return !this.#socket.destroyed && machineNow() < this.#idleUntil
  }

  /** @param request head and body, ready to leave */
  send(request: string, sink: ConnectionSink): void {
    this.#sink = sink
    this.#current = sink
    // In one piece: a system call is most of what this costs.
    this.#socket.write(request)
  }

  /** Drops it, unless the request that `sink` was given for is over: the upstream sees that its caller has gone. */
  abort(sink: ConnectionSink): void {
    if (this.#current === sink) this.destroy()
  }

  destroy(): void {
    this.#sink = undefined
    this.#socket.destroy()
  }

  #data(chunk: Buffer): void {
    if (this.#body !== undefined) {
      this.#body.framing.push(chunk)
      return
    }
    // Unasked: whoever sends that is out of step.
    if (this.#sink === undefined) {
      this.#socket.destroy()
      return
    }
    const received = this.#received === undefined ? chunk : Buffer.concat([this.#received, chunk])
    const end = received.indexOf(HEAD_END)
    if (end < 0) {
      if (received.length > MAX_HEAD_BYTES) this.#refuse()
      else this.#received = received
      return
    }
    this.#received = undefined
    const head = readHead(received.toString('latin1', 0, end))
    const rest = received.subarray(end + HEAD_END.length)
    if (head === undefined) this.#refuse()
    else if (head.status < 200) {
      if (rest.length > 0) this.#data(rest)
    } else this.#begin(head, rest)
  }

  #begin(head: AnswerHead, rest: Buffer): void {
    const socket = this.#socket
    // Whoever reads slowly, or leaves late, has no say any more once the connection is another's.
    const ifOurs = (act: () => void) => () => {
      if (this.#body?.body === body) act()
    }
    const body: AnswerBody = new AnswerBody(
      {
        pause: ifOurs(() => socket.pause()),
        resume: ifOurs(() => socket.resume()),
        destroy: ifOurs(() => socket.destroy()),
      },
      head.headers['content-encoding'],
    )
    const framing = new BodyFraming(head.framing, {
      data: piece => body.push(piece),
      end: clean => {
        this.#release(head, clean)
        body.finish()
      },
      broken: () => {
        this.#body = undefined
        socket.destroy()
        body.fail()
      },
    })
    this.#body = { body, framing, head }
    const sink = this.#sink
    this.#sink = undefined
    sink?.head(head, body)
    framing.begin()
    if (rest.length === 0) return
    if (this.#body === undefined) socket.destroy()
    else framing.push(rest)
  }

  #release({ keepAlive, headers }: AnswerHead, clean: boolean): void {
    this.#body = undefined
    this.#current = undefined
    this.#socket.resume()
    if (!keepAlive || !clean || this.#socket.destroyed) {
      this.#socket.destroy()
      return
    }
    const [, seconds] = /timeout=(\d+)/.exec(String(headers['keep-alive'] ?? '')) ?? []
    // A second less than it says: the request has to get there in time, too.
    const idleMs = seconds === undefined ? IDLE_MS : Math.max(0, Number(seconds) - 1) * 1000
    this.#idleUntil = machineNow() + idleMs
    this.#onFree(this)
  }

  #refuse(): void {
    const sink = this.#sink
    this.#sink = undefined
    this.#socket.destroy()
    sink?.fail('answered what is not HTTP')
  }

  #closed(): void {
    this.#onClose(this)
    this.#body?.framing.closed()
    const sink = this.#sink
    this.#sink = undefined
    sink?.fail(failureOf(this.#error))
  }
}

function failureOf(error: NodeJS.ErrnoException | undefined): string {
  if (error === undefined) return 'broke off without an answer'
  // Of a name with several addresses that are all refused, each has its own reason.
  const reason = error.code ?? error.message
  const refused = ['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH', 'EAI_AGAIN'].includes(reason)
  return refused ? `cannot be reached (${reason})` : `broke off without an answer (${reason})`
}

/** What a piece of a body comes to. */
interface FramedSink {
  data(piece: Buffer): void
  /** The body is over. @param clean whether nothing came behind it, which nobody has asked for */
  end(clean: boolean): void
  broken(): void
}

/** Takes a body out of its framing. */
class BodyFraming {
  readonly #framing: Framing
  readonly #sink: FramedSink
  /** Bytes still to come: of the body, or of the chunk. */
  #left: number
  #state: 'data' | 'size' | 'chunk-end' | 'trailer' | 'over' = 'data'
  #line = ''

  constructor(framing: Framing, sink: FramedSink) {
    this.#framing = framing
    this.#sink = sink
    this.#left = framing.by === 'length' ? framing.length : 0
    if (framing.by === 'chunks') this.#state = 'size'
  }

  /** An empty body is over at once. */
  begin(): void {
    if (this.#framing.by === 'length' && this.#left === 0) this.#end(true)
  }

  push(bytes: Buffer): void {
    if (this.#framing.by === 'chunks') this.#chunks(bytes)
    else if (this.#framing.by === 'close') this.#sink.data(bytes)
    else if (this.#state === 'data') {
      const piece = bytes.length <= this.#left ? bytes : bytes.subarray(0, this.#left)
      this.#left -= piece.length
      this.#sink.data(piece)
      if (this.#left === 0) this.#end(piece.length === bytes.length)
    }
  }

  /** The connection has ended. */
  closed(): void {
    if (this.#state === 'over') return
    if (this.#framing.by === 'close') this.#end(false)
    else this.#fail()
  }

  #chunks(bytes: Buffer): void {
    let at = 0
    while (at < bytes.length && this.#state !== 'over') {
      if (this.#state === 'data') {
        const piece = bytes.subarray(at, at + this.#left)
        at += piece.length
        this.#left -= piece.length
        if (this.#left === 0) this.#state = 'chunk-end'
        this.#sink.data(piece)
        continue
      }
      const feed = bytes.indexOf(0x0a, at)
      const end = feed < 0 ? bytes.length : feed
      this.#line += bytes.toString('latin1', at, end)
      at = end + 1
      if (this.#line.length > MAX_SIZE_LINE) this.#fail()
      else if (feed >= 0) this.#takeLine(at >= bytes.length)
    }
  }

  #takeLine(last: boolean): void {
    const line = this.#line.replace(/\r$/, '')
    this.#line = ''
    if (this.#state === 'chunk-end') {
      if (line === '') this.#state = 'size'
      else this.#fail()
    } else if (this.#state === 'trailer') {
      if (line === '') this.#end(last)
    } else {
      const [, size] = /^([0-9a-fA-F]{1,8})\s*(?:;|$)/.exec(line) ?? []
      if (size === undefined) this.#fail()
      else {
        this.#left = Number.parseInt(size, 16)
        this.#state = this.#left === 0 ? 'trailer' : 'data'
      }
    }
  }

  #end(clean: boolean): void {
    this.#state = 'over'
    this.#sink.end(clean)
  }

  #fail(): void {
    this.#state = 'over'
    this.#sink.broken()
  }
}
