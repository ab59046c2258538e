import type { RunListener } from '../engine/engine.js'
import { readFields, readRow } from '../wire/answers.js'
import { BODY, type Frame, Framer, readCstring } from '../wire/frames.js'
import { ANY_LENGTH } from './batch-answers.js'

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
