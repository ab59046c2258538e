import type { Clock } from '../../../shared/clock/clock.js'
import { Refusal } from '../../../shared/errors.js'
import { isObject } from '../../../shared/util/objects.js'
import { cut } from '../../../shared/util/shown.js'
import {
  ANSWER_TIMEOUT_MS,
  type Answer,
  type Asked,
  type Caller,
  deadline,
  formatMessage,
  greet,
  isAnswer,
  type Message,
  messagesOf,
} from './caller.js'
import { GatewayProcess, type Placeholders } from './gateway-process.js'

export interface PipeCallerOptions {
  template: readonly string[]
  placeholders: Placeholders
  machine: Clock
  /** The revision that the caller speaks. */
  protocol: string
  /** Returns whether the upstream is busy. */
  busy: () => boolean
  /** Called with the process as soon as the process runs. */
  onStart(process: GatewayProcess): void
}

/**
 * After an answer with an unknown id, the time that a request still waits for its own answer, in
 * milliseconds.
 */
const OWN_ANSWER_MS = 300

/** Maximum number of notifications and requests of the server that are kept until the next answer. */
const MAX_OTHERS = 1000

/** Calls a gateway that runs as a child process and speaks MCP on stdin and stdout. */
export class PipeCaller implements Caller {
  readonly #machine: Clock
  readonly #busy: () => boolean
  readonly #protocol: string
  readonly #waiting = new Map<unknown, (answer: Answer) => void>()
  #process: GatewayProcess | undefined
  #others: unknown[] = []
  /** The ids of the last batch. */
  #batch: readonly unknown[] = []
  #lastId = 0
  /** The last line of stdout that was not JSON. */
  #noise = ''

  private constructor({ machine, busy, protocol }: PipeCallerOptions) {
    this.#machine = machine
    this.#busy = busy
    this.#protocol = protocol
  }

  /**
   * Starts a gateway.
   *
   * @throws Refusal `cannot_start`, or `gateway_refused` if the first request gets no result
   */
  static async open(options: PipeCallerOptions): Promise<PipeCaller> {
    const { template, placeholders, machine, protocol, onStart } = options
    const caller = new PipeCaller(options)
    caller.#process = await GatewayProcess.start({
      template,
      placeholders,
      machine,
      onLine: line => caller.#line(line),
      onEnd: () => caller.#end(),
    })
    onStart(caller.#process)
    try {
      await greet(caller, template.join(' '), protocol)
    } catch (error) {
      const said = [caller.#process.lastOutput, caller.#noise].filter(text => text !== '').join(' | ')
      if (!(error instanceof Refusal) || error.code !== 'gateway_refused') throw error
      const why = said === '' ? error.reason : `${error.reason}, and said: ${cut(said)}`
      throw new Refusal(
        error.code,
        why,
        'check that it speaks MCP on its pipes, with one JSON-RPC message on each line',
      )
    }
    return caller
  }

  ask(method: string, params?: unknown, id: string | number = ++this.#lastId): Asked {
    const answer = this.#answerTo(id)
    this.#write(formatMessage({ method, params }, this.#protocol, id))
    return { id, answer }
  }

  askAll(requests: readonly Message[]): Asked[] {
    const ids = requests.map(() => ++this.#lastId)
    this.#batch = ids
    const asked = ids.map(id => ({ id, answer: this.#answerTo(id) }))
    this.#write(requests.map((request, at) => formatMessage(request, this.#protocol, ids[at])))
    return asked
  }

  async notify(method: string, params?: unknown): Promise<Answer> {
    this.#write(formatMessage({ method, params }, this.#protocol))
    return { kind: 'nothing', why: 'a notification has no answer' }
  }

  async close(): Promise<void> {
    await this.#process?.close()
  }

  #write(message: unknown): void {
    this.#process?.write(JSON.stringify(message))
  }

  async #answerTo(id: string | number): Promise<Answer> {
    const ended = this.#process?.ended
    if (ended !== undefined) return { kind: 'nothing', why: `the gateway ${ended}` }
    const { signal, cancel } = deadline(this.#machine, ANSWER_TIMEOUT_MS, this.#busy)
    const answer = await new Promise<Answer>(resolve => {
      this.#waiting.set(id, resolve)
      const why = `no answer in ${ANSWER_TIMEOUT_MS / 1000} s`
      signal.addEventListener('abort', () => resolve({ kind: 'nothing', why }), { once: true })
    })
    cancel()
    this.#waiting.delete(id)
    return answer
  }

  #line(line: string): void {
    const messages = messagesOf(line)
    if (messages.length === 0) this.#noise = line
    for (const message of messages) {
      if (isAnswer(message)) this.#answer(message)
      else if (isObject(message) && this.#others.length < MAX_OTHERS) this.#others.push(message)
    }
  }

  #answer(message: Record<string, unknown>): void {
    const others = this.#others
    const waiting = this.#waiting.get(message.id)
    if (waiting !== undefined) {
      this.#others = []
      waiting({ kind: 'response', message, others })
      return
    }
    // No waiting request has this id. The oldest waiting request gets the answer unless its own answer
    // arrives, and the judge then reports the wrong id. An error without an id can refuse a whole batch, so
    // all waiting requests of the batch get the error.
    const anonymous = message.id === undefined || message.id === null
    const batch = anonymous ? this.#batch.filter(id => this.#waiting.has(id)) : []
    const ids = batch.length > 0 ? batch : [...this.#waiting.keys()].slice(0, 1)
    const receivers = ids.flatMap(id => this.#waiting.get(id) ?? [])
    this.#machine.wakeAt(this.#machine.now() + OWN_ANSWER_MS, () => {
      for (const receive of receivers) receive({ kind: 'response', message, others: [] })
    })
  }

  #end(): void {
    const why = `the gateway ${this.#process?.ended ?? 'has ended'}`
    for (const resolve of [...this.#waiting.values()]) resolve({ kind: 'nothing', why })
  }
}
