import type { Socket } from 'node:net'
import type { ClientSession } from '../session/client-session.js'
import type { Session } from '../session/session.js'
import { Settings, startupSettings } from '../session/settings.js'
import { Statements } from '../session/statements.js'
import { backendKeyData, type PgError, parameterStatus, pgErrorResponse, readyForQuery } from './answers.js'
import { BadFrame, BODY, type Frame, Framer, frame, int32, readCstring } from './frames.js'

/**
 * Longest message that is accepted, in bytes: 64 MB. PostgreSQL accepts 1 GB, which would be too much in a
 * process that all databases share.
 */
const LONGEST_MESSAGE = 64 * 1024 * 1024

/** Bytes of queued messages beyond which the client's socket is paused. */
const MAX_QUEUED_BYTES = 1024 * 1024

/** Bytes of answers that the client has not read, beyond which its next batch waits. */
const MAX_UNREAD_BYTES = 4 * 1024 * 1024

/** Bytes after which a batch ends even without Sync, for long pipelines. */
const MAX_BATCH_BYTES = 256 * 1024

/** The types of messages that a client may send after its login. */
const FRONTEND_TYPES = new Set('BCDEFHPQSXcdf')
/** The types of messages that end a batch: Query, Sync, FunctionCall and Flush. */
const BATCH_ENDS = new Set('QSFH')
/** The types of messages that are allowed during a COPY: CopyData, CopyDone, CopyFail, Sync and Flush. */
const COPY_TYPES = new Set('dcfSH')

export interface ClientOptions {
  pid: number
  secret: number
  user: string
  startup: Map<string, string>
  statementTimeoutMs: number
}

/**
 * The connection of a client that has logged in. Splits the client's messages into batches, and passes one
 * batch after the other to the session.
 *
 * A batch ends with a Query, Sync, FunctionCall or Flush message.
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
  /** True while a batch runs or the database is not open yet. No other batch starts then. */
  #busy = true
  /**
   * Set after an error without ReadyForQuery: the client's messages are ignored until its Sync. The engine
   * answers the Sync, or this server does if the engine did not receive the batch.
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
   * Opens the database, sends the first messages to the client and starts to run its batches.
   *
   * @param early bytes that the client has sent after its password, before it received an answer
   * @throws LimitExceeded, or the error of the engine, if the database does not open
   */
  async start(early: Buffer): Promise<void> {
    this.#socket.once('close', () => this.#leave())
    this.#socket.setNoDelay(true)
    // The socket is not paused while the database opens, because a
    // paused socket does not notice that its client has disconnected.
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
    // Incoming data is read and dropped. Otherwise the socket would never close.
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

  /** Resolves when the client has read its answers or has disconnected. */
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

  /** Passes the queued messages to a COPY that waits for data, up to the message that ends the COPY. */
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
    // This message would end the engine. So the COPY fails first,
    // and the message stays in the queue and runs afterwards.
    if (isUnexpected && last !== 'X') data.push(frame('f', unexpectedInCopy(last)))
    this.#feed = undefined
    if (feed(Buffer.concat(data))) this.#drop(size)
  }

  /** Takes the next complete batch from the queue. Undefined if it is not complete yet. */
  #nextBatch(): readonly Frame[] | undefined {
    for (;;) {
      const first = this.#queue[0]
      if (first === undefined) return undefined
      if (first.type === 'X') {
        this.#leave()
        return undefined
      }
      // These are messages for a COPY that has already failed or ended.
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

/** Returns PostgreSQL's error message for a message that is not allowed during a COPY. */
function unexpectedInCopy(type: string): string {
  return `unexpected message type 0x${type.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()} during COPY from stdin`
}
