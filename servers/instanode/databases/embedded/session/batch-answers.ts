import type { RunListener } from '../engine/engine.js'
import { readFields, readRow, writeFields } from '../wire/answers.js'
import { BODY, type Frame, Framer, readCstring } from '../wire/frames.js'
import type { Guest } from './guest.js'

/** Backend messages are the engine's own: whatever length it gives is right. */
export const ANY_LENGTH = 2 ** 32

/** What a batch needs from the session it runs in. */
export interface BatchContext {
  guest: Guest
  /** How many answers to a Parse are not for the client: its statements were parsed again ahead of its own messages. */
  restored: number
  taken(size: number): void
  hungry(): void
  /** @returns the client's copy of a notification, if it listens itself; others are told by the way */
  notified(notification: Frame): Buffer | undefined
  /** What to say in place of "due to user request", if it was not. */
  cancelReason(): string | undefined
}

/** Passes the engine's answers to one batch on to its client, and notes what the session must know of them. */
export class BatchAnswers implements RunListener {
  /** From the last ReadyForQuery: `I`, `T` or `E`; undefined if the batch did not get that far. */
  status: string | undefined
  failed = false
  /** Answers to Parse messages, those that were not for the client included. */
  parsed = 0
  /** SQLSTATE of the last error. */
  code: string | undefined
  readonly tags: string[] = []
  /** The engine says that the session has become a superuser's. */
  superuser = false
  readonly #framer = new Framer(ANY_LENGTH)

  constructor(readonly context: BatchContext) {}

  output(bytes: Buffer): void {
    const passed: Buffer[] = []
    for (const message of this.#framer.push(bytes)) {
      const passing = this.#message(message)
      if (passing !== undefined) passed.push(passing)
    }
    const { guest, taken } = this.context
    const first = passed[0]
    if (first === undefined) taken(bytes.length)
    else guest.send(passed.length === 1 ? first : Buffer.concat(passed), () => taken(bytes.length))
  }

  hungry(): void {
    this.context.hungry()
  }

  #message(message: Frame): Buffer | undefined {
    const { type, bytes } = message
    if (type === 'D' || type === 'd' || type === 'T') return bytes
    if (type === '1') return ++this.parsed > this.context.restored ? bytes : undefined
    if (type === 'Z') {
      this.status = bytes.toString('latin1', BODY, BODY + 1)
      return bytes
    }
    if (type === 'C') this.tags.push(readCstring(bytes, BODY).text)
    if (type === 'A') return this.context.notified(message)
    if (type === 'S') return this.#reported(bytes)
    if (type === 'E') return this.#error(bytes)
    return bytes
  }

  #reported(bytes: Buffer): undefined {
    const name = readCstring(bytes, BODY)
    const value = readCstring(bytes, name.next).text
    if (name.text === 'is_superuser') this.superuser = value === 'on'
    this.context.guest.learn(name.text, value)
  }

  #error(bytes: Buffer): Buffer {
    const fields = readFields(bytes)
    this.failed = true
    this.code = fields.get('C')
    const reason = this.code === '57014' ? this.context.cancelReason() : undefined
    const message = fields.get('M') ?? ''
    const said = reason ?? this.context.guest.statements.readable(message)
    if (said === message) return bytes
    return writeFields('E', fields.set('M', said))
  }
}

/** The answers to statements of the gateway's own, which no client sees. */
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

  hungry(): void {
    throw new Error('a statement of the gateway asked for input')
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
