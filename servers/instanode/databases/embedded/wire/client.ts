import type { Socket } from 'node:net'
import type { ClientSession } from '../session/client-session.js'
import type { Session } from '../session/session.js'
import { Settings, startupSettings } from '../session/settings.js'
import { Statements } from '../session/statements.js'
import { backendKeyData, type PgError, parameterStatus, pgErrorResponse, readyForQuery } from './answers.js'
import { BadFrame, BODY, type Frame, Framer, frame, int32, readCstring } from './frames.js'

/**
 * Longest message, in bytes. PostgreSQL accepts 1 GB. A database of 500 MB in a shared process needs less.
 */
const LONGEST_MESSAGE = 64 * 1024 * 1024

/** Bytes of unprocessed messages at which the client's socket is paused. */
const MAX_QUEUED_BYTES = 1024 * 1024

/** Bytes of unread answers at which the client's next batch has to wait. */
const MAX_UNREAD_BYTES = 4 * 1024 * 1024

/** A pipeline without Sync is passed on in parts of this size, in bytes. */
const MAX_BATCH_BYTES = 256 * 1024

/** The types of the frontend messages after start-up. */
const FRONTEND_TYPES = new Set('BCDEFHPQSXcdf')
/** The message types that end a batch: simple query, sync, function call, flush. */
const BATCH_ENDS = new Set('QSFH')
/** The message types that may follow during a COPY. */
const COPY_TYPES = new Set('dcfSH')

export interface ClientOptions {
  pid: number
  secret: number
  user: string
  startup: Map<string, string>
  statementTimeoutMs: number
}

/**
 * One connection after its password was accepted. Splits its messages into batches, and has them answered in
 * order.
 */
export class Client implements ClientSession {
  readonly pid: number
  readonly secret: number
  readonly statements: Statements
  readonly settings: Settings
  statementTimeoutMs: number
  readonly #socket: Socket
  readonly #session: Session
  readonly #framer = new Framer(LONGEST_MESSAGE)
  readonly #reported = new Map<string, string>()
  #queue: Frame[] = []
  #queuedBytes = 0
  /** True while a batch runs or the database is not open. No batch is begun then. */
  #busy = true
  /**
   * Messages are ignored until Sync. The engine answers that Sync, or this class if the engine did not
   * receive the batch.
   */
  #syncAnsweredBy: 'engine' | 'server' | undefined
  #feed: ((bytes: Buffer) => boolean) | undefined
  #batch: readonly Frame[] = []
  #disconnected = false

  constructor(socket: Socket, session: Session, options: ClientOptions) {
    this.#socket = socket
    this.#session = session
    this.pid = options.pid
    this.secret = options.secret
    this.statementTimeoutMs = options.statementTimeoutMs
    this.statements = new Statements(`understudy_${options.pid}_`)
    this.settings = new Settings(startupSettings(options.startup))
    this.#reported.set('session_authorization', options.user).set('is_superuser', 'off')
    const name = options.startup.get('application_name')
    if (name !== undefined) this.#reported.set('application_name', name)
  }

  /**
   * Waits for the database, sends the greeting and begins to answer.
   *
   * @param early bytes that the client sent before it was admitted
   * @throws LimitExceeded, or the error of the engine, if the database does not open
   */
  async start(early: Buffer): Promise<void> {
    this.#socket.once('close', () => this.#leave())
    this.#socket.setNoDelay(true)
    // The socket is read from the start, because a paused socket does not notice that its client has left.
    this.#socket.on('data', (bytes: Buffer) => this.#receive(bytes))
    if (early.length > 0) this.#receive(early)
    this.#socket.resume()
    const engineStatuses = await this.#session.admit(this)
    if (this.#disconnected || this.#socket.destroyed) return this.#session.leave(this)
    for (const { type, bytes } of new Framer(engineStatuses.length).push(engineStatuses)) {
      if (type !== 'S') continue
      const name = readCstring(bytes, BODY)
      if (!this.#reported.has(name.text)) this.#reported.set(name.text, readCstring(bytes, name.next).text)
    }
    const statuses = [...this.#reported].map(([name, value]) => parameterStatus(name, value))
    const greeting = [
      frame('R', int32(0)),
      ...statuses,
      backendKeyData(this.pid, this.secret),
      readyForQuery('I'),
    ]
    this.send(Buffer.concat(greeting))
    this.#busy = false
    this.#runBatches()
  }

  get disconnected(): boolean {
    return this.#disconnected
  }

  send(bytes: Buffer, sent?: () => void): void {
    if (this.#socket.writable) this.#socket.write(bytes, sent)
    else sent?.()
  }

  reportParameter(name: string, value: string): void {
    if (this.#reported.get(name) === value) return
    this.#reported.set(name, value)
    this.send(parameterStatus(name, value))
  }

  onCopyIn(feed: (bytes: Buffer) => boolean): void {
    this.#feed = feed
    this.#feedCopy()
  }

  refuse(pgError: PgError): void {
    this.send(pgErrorResponse('ERROR', pgError))
    const end = this.#batch.at(-1)?.type
    if (end === 'Q' || end === 'S' || end === 'F') this.send(readyForQuery('I'))
    else this.#syncAnsweredBy = 'server'
  }

  skipToSync(): void {
    this.#syncAnsweredBy = 'engine'
  }

  fatal(pgError: PgError): void {
    if (this.#disconnected) return
    this.#disconnected = true
    this.#socket.end(pgErrorResponse('FATAL', pgError))
    // A client that does not read would keep the socket open for ever.
    this.#socket.resume()
  }

  cancel(): void {
    this.#session.cancel(this)
  }

  #receive(bytes: Buffer): void {
    if (this.#disconnected) return
    try {
      for (const message of this.#framer.push(bytes)) {
        if (!FRONTEND_TYPES.has(message.type))
          throw new BadFrame(`invalid frontend message type ${message.type.charCodeAt(0)}`)
        this.#queue.push(message)
        this.#queuedBytes += message.bytes.length
      }
    } catch (error) {
      this.fatal({ code: '08P01', message: error instanceof Error ? error.message : String(error) })
      return
    }
    if (this.#queuedBytes > MAX_QUEUED_BYTES) this.#socket.pause()
    this.#feedCopy()
    this.#runBatches()
  }

  async #runBatches(): Promise<void> {
    if (this.#busy) return
    this.#busy = true
    for (
      let batch = this.#nextBatch();
      batch !== undefined && !this.#disconnected;
      batch = this.#nextBatch()
    ) {
      this.#batch = batch
      await this.#session.execute(this, batch)
      this.#feed = undefined
      if (!this.#disconnected && this.#socket.writableLength > MAX_UNREAD_BYTES) await this.#drained()
    }
    this.#busy = false
  }

  /** Resolves when the client has read its answers or has left. */
  #drained(): Promise<void> {
    return new Promise(resolve => {
      const done = () => {
        this.#socket.off('drain', done).off('close', done)
        resolve()
      }
      this.#socket.on('drain', done).on('close', done)
    })
  }

  #leave(): void {
    this.#disconnected = true
    this.#socket.end()
    this.#session.leave(this)
  }

  /** Passes the received messages to a waiting COPY, up to its end. */
  #feedCopy(): void {
    const feed = this.#feed
    if (feed === undefined || this.#queue.length === 0) return
    if (this.#queue[0]?.type === 'X') {
      this.#leave()
      return
    }
    const end = this.#queue.findIndex(({ type }) => !COPY_TYPES.has(type) || type === 'c' || type === 'f')
    const last = this.#queue[end]?.type
    const isUnexpected = last !== undefined && !COPY_TYPES.has(last)
    const size = end < 0 ? this.#queue.length : isUnexpected ? end : end + 1
    const data = this.#queue.slice(0, size).map(({ bytes }) => bytes)
    // The engine would end. The COPY fails instead, and the message is executed after it.
    if (isUnexpected && last !== 'X') data.push(frame('f', unexpectedInCopy(last)))
    this.#feed = undefined
    if (feed(Buffer.concat(data))) this.#drop(size)
  }

  /** Returns the next whole batch, or undefined until more messages arrive. */
  #nextBatch(): readonly Frame[] | undefined {
    for (;;) {
      const first = this.#queue[0]
      if (first === undefined) return undefined
      if (first.type === 'X') {
        this.#leave()
        return undefined
      }
      // Data of a COPY that has failed or ended.
      if ('dcf'.includes(first.type)) this.#drop(1)
      else if (this.#syncAnsweredBy !== undefined) {
        const answeredBy = this.#syncAnsweredBy
        this.#drop(1)
        if (first.type !== 'S') continue
        this.#syncAnsweredBy = undefined
        if (answeredBy === 'engine') return [first]
        this.send(readyForQuery('I'))
      } else {
        const size = this.#batchLength()
        return size === 0 ? undefined : this.#drop(size)
      }
    }
  }

  #batchLength(): number {
    let bytes = 0
    for (const [at, message] of this.#queue.entries()) {
      if (message.type === 'X') return at
      bytes += message.bytes.length
      if (BATCH_ENDS.has(message.type) || bytes > MAX_BATCH_BYTES) return at + 1
    }
    return 0
  }

  #drop(count: number): Frame[] {
    const dropped = this.#queue.slice(0, count)
    this.#queue = this.#queue.slice(count)
    for (const { bytes } of dropped) this.#queuedBytes -= bytes.length
    if (this.#queuedBytes <= MAX_QUEUED_BYTES && this.#socket.isPaused()) this.#socket.resume()
    return dropped
  }
}

/** The reason for which a COPY fails, in the words of PostgreSQL. */
function unexpectedInCopy(type: string): string {
  return `unexpected message type 0x${type.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()} during COPY from stdin`
}
