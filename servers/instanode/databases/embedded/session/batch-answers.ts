import type { RunListener } from '../engine/engine.js'
import { readFields, readRow, writeFields } from '../wire/answers.js'
import { BODY, type Frame, Framer, readCstring } from '../wire/frames.js'
import type { ClientSession } from './client-session.js'

/** The length limit for the engine's messages. They are trusted, so there is none. */
export const ANY_LENGTH = 2 ** 32

/** The session's part in a batch. */
export interface BatchContext {
  client: ClientSession
  /**
   * Number of Parse answers that are not for the client. These statements were parsed again before the
   * client's own messages.
   */
  hiddenParses: number
  onTaken(size: number): void
  onCopyIn(): void
  /** Passes a notification to the other listeners. @returns the client's copy if the client listens itself */
  onNotification(notification: Frame): Buffer | undefined
  /**
   * Returns the words that replace "due to user request" in the error of a cancelled statement, or undefined
   * to keep them.
   */
  cancelReason(): string | undefined
}

/** Passes the engine's answers to one batch on to its client. Records the facts that the session needs. */
export class BatchAnswers implements RunListener {
  /** From the last ReadyForQuery: `I`, `T` or `E`. Undefined if the batch has had none yet. */
  status: string | undefined
  failed = false
  /** Number of answers to Parse messages, including those that are not for the client. */
  parsed = 0
  /** SQLSTATE of the last error. */
  code: string | undefined
  readonly tags: string[] = []
  /** The engine has reported that the session belongs to a superuser. */
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

/** The answers to statements of the session itself. Clients do not see them. */
export class HiddenAnswers implements RunListener {
  readonly rows: (string | null)[][] = []
  /** Parameters that have changed. */
  readonly reported: [name: string, value: string][] = []
  /** The last error's SQLSTATE and message. */
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
    throw new Error('a statement of the session asked for input')
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
