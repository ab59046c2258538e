import type { Clock } from '../../../shared/clock/clock.js'
import { isObject } from '../../../shared/util/is-object.js'
import { Child } from '../../gateway/stdio/child-process.js'
import { type Answer, type Caller, deadline, INITIALIZE, PATIENCE_MS } from './caller.js'

/** Calls a gateway that is a child of this process and speaks on its pipes. */
export class PipeCaller implements Caller {
  readonly #machine: Clock
  readonly #waiting = new Map<unknown, (answer: Answer) => void>()
  #child: Child | undefined
  #ended: string | undefined
  #lastId = 0

  private constructor(machine: Clock) {
    this.#machine = machine
  }

  /** @throws Refusal `cannot_start` */
  static async open(command: readonly [string, ...string[]], machine: Clock): Promise<PipeCaller> {
    const caller = new PipeCaller(machine)
    caller.#child = await Child.start({ command }, machine, {
      line: line => caller.#line(line),
      tooLong: () => undefined,
      ended: code => caller.#end(`the gateway has ended with code ${code}`),
    })
    await caller.ask('initialize', INITIALIZE)
    caller.#child.write(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' }))
    return caller
  }

  async ask(method: string, params?: unknown): Promise<Answer> {
    const id = ++this.#lastId
    const answer = this.#answerTo(id)
    this.#child?.write(JSON.stringify({ jsonrpc: '2.0', id, method, params }))
    return answer
  }

  async askAll(requests: readonly { method: string; params: unknown }[]): Promise<Answer[]> {
    const batch = requests.map(request => ({ jsonrpc: '2.0', id: ++this.#lastId, ...request }))
    const answers = batch.map(({ id }) => this.#answerTo(id))
    this.#child?.write(JSON.stringify(batch))
    return Promise.all(answers)
  }

  async close(): Promise<void> {
    await this.#child?.close()
  }

  async #answerTo(id: number): Promise<Answer> {
    if (this.#ended !== undefined) return { kind: 'nothing', why: this.#ended }
    const { signal, over } = deadline(this.#machine)
    const answer = await new Promise<Answer>(resolve => {
      this.#waiting.set(id, resolve)
      const why = `no answer in ${PATIENCE_MS / 1000} s`
      signal.addEventListener('abort', () => resolve({ kind: 'nothing', why }), { once: true })
    })
    over()
    this.#waiting.delete(id)
    return answer
  }

  #line(line: string): void {
    const messages = messagesOf(line)
    for (const message of messages) {
      if (!isObject(message) || 'method' in message) continue
      // An error without an id answers whatever is asked: there is never more than one thing at a time.
      const waiting = this.#waiting.get(message.id) ?? (message.id == null ? this.#first() : undefined)
      waiting?.({ kind: 'response', message })
    }
  }

  #first(): ((answer: Answer) => void) | undefined {
    return [...this.#waiting.values()][0]
  }

  #end(why: string): void {
    this.#ended = why
    for (const resolve of [...this.#waiting.values()]) resolve({ kind: 'nothing', why })
  }
}

function messagesOf(line: string): unknown[] {
  try {
    const body: unknown = JSON.parse(line)
    return Array.isArray(body) ? body : [body]
  } catch {
    return []
  }
}
