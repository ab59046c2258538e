import type { RunListener } from '../engine/engine.js'
import { readFields, readRow, writeFields } from '../wire/answers.js'
import { BODY, type Frame, Framer, readCstring } from '../wire/frames.js'
import type { ClientSession } from './client-session.js'

/**
 * Longest message of the engine that is accepted, in bytes: every length that the protocol allows, because
 * the engine is trusted.
 */
export const ANY_LENGTH = 2 ** 32

/** The functions and values of the session that the answers to a batch need. */
export interface BatchContext {
  client: ClientSession
  /**
   * Number of ParseComplete messages that the client must not see. They answer the lost statements that were
   * parsed again before the client's own messages.
   */
  hiddenParses: number
  /** Called when output was sent to the client. @param size in bytes */
  onTaken(size: number): void
  /** Called when a COPY waits for data of the client. */
  onCopyIn(): void
  /**
   * Passes a notification to the clients that listen.
   *
   * @returns the message for this client, if it listens too
   */
  onNotification(notification: Frame): Buffer | undefined
  /**
   * Returns the error message for a cancelled statement. Undefined keeps PostgreSQL's message ("due to user
   * request").
   */
  cancelReason(): string | undefined
}

/**
 * Forwards the engine's answers to a batch to the client. Records what the session needs to know about them.
 */
export class BatchAnswers implements RunListener {
  /**
   * The transaction status in the last ReadyForQuery message: `I`, `T` or `E`. Undefined before the first
   * one.
   */
  status: string | undefined
  failed = false
  /** Number of ParseComplete messages so far, including those that the client does not see. */
  parsed = 0
  /** The SQLSTATE of the last error. */
  code: string | undefined
  readonly tags: string[] = []
  /** True if the engine has reported that the user of the session is a superuser. */
  superuser = false
  readonly #framer = new Framer(ANY_LENGTH)

  constructor(readonly context: BatchContext) {}

  output(bytes: Buffer): void {
    const forwarded: Buffer[] = []
    for (const message of this.#framer.push(bytes)) {
      const answer = this.#message(message)
      if (answer !== undefined) forwarded.push(answer)
    }
    const { client, onTaken } = this.context
    const first = forwarded[0]
    if (first === undefined) onTaken(bytes.length)
    else client.send(forwarded.length === 1 ? first : Buffer.concat(forwarded), () => onTaken(bytes.length))
  }

  inputWanted(): void {
    this.context.onCopyIn()
  }

  #message(message: Frame): Buffer | undefined {
    const { type, bytes } = message
    if (type === 'D' || type === 'd' || type === 'T') return bytes
    if (type === '1') return ++this.parsed > this.context.hiddenParses ? bytes : undefined
    if (type === 'Z') {
      this.status = bytes.toString('latin1', BODY, BODY + 1)
      return bytes
    }
    if (type === 'C') this.tags.push(readCstring(bytes, BODY).text)
    if (type === 'A') return this.context.onNotification(message)
    if (type === 'S') return this.#reported(bytes)
    if (type === 'E') return this.#error(bytes)
    return bytes
  }

  #reported(bytes: Buffer): undefined {
    const name = readCstring(bytes, BODY)
    const value = readCstring(bytes, name.next).text
    if (name.text === 'is_superuser') this.superuser = value === 'on'
    this.context.client.reportParameter(name.text, value)
  }

  #error(bytes: Buffer): Buffer {
    const fields = readFields(bytes)
    this.failed = true
    this.code = fields.get('C')
    const reason = this.code === '57014' ? this.context.cancelReason() : undefined
    const message = fields.get('M') ?? ''
    const text = reason ?? this.context.client.statements.withoutPrefix(message)
    if (text === message) return bytes
    return writeFields('E', fields.set('M', text))
  }
}

/** Collects the engine's answers to statements that the session runs for itself. No client sees them. */
export class HiddenAnswers implements RunListener {
  readonly rows: (string | null)[][] = []
  /** The parameters whose changes the engine has reported. */
  readonly reported: [name: string, value: string][] = []
  /** The SQLSTATE and the message of the last error. */
  error: { code: string; message: string } | undefined
  readonly #framer = new Framer(ANY_LENGTH)

  constructor(
    readonly taken: (size: number) => void,
    readonly notified: (notification: Frame) => void,
  ) {}

  output(bytes: Buffer): void {
    for (const message of this.#framer.push(bytes)) this.#message(message)
    this.taken(bytes.length)
  }

  inputWanted(): void {
    throw new Error(
      'a statement of the session itself has asked for input, which only a COPY of a client may do',
    )
  }

  #message(message: Frame): void {
    if (message.type === 'D') this.rows.push(readRow(message))
    else if (message.type === 'A') this.notified(message)
    else if (message.type === 'S') {
      const name = readCstring(message.bytes, BODY)
      this.reported.push([name.text, readCstring(message.bytes, name.next).text])
    } else if (message.type === 'E') {
      const fields = readFields(message.bytes)
      this.error = { code: fields.get('C') ?? 'XX000', message: fields.get('M') ?? 'unknown error' }
    }
  }
}
