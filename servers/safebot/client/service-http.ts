import type { z } from 'zod'
import type { Clock } from '../../../shared/clock/clock.js'
import { Refusal } from '../../../shared/errors.js'
import { fetchFailure } from '../../../shared/http/fetch-failure.js'
import { defined } from '../../../shared/util/defined.js'
import { shuttingDown } from '../domain/refusals.js'
import { refusedBy } from './refused.js'

/** Milliseconds for an answer to a request that does not wait. */
const ANSWER_MS = 15_000

export interface ServiceRequest<T> {
  method: 'GET' | 'POST'
  /** Path and query. */
  target: string
  /** Sent as JSON. */
  body?: unknown
  headers?: Record<string, string>
  /** Schema of the answer. */
  answer: z.ZodType<T>
  /** Aborted when the caller leaves. Only for a request that may wait, which then has no time-out. */
  signal?: AbortSignal
}

/**
 * Sends requests to a service. Does not follow redirects, because a signed request is for this service alone.
 */
export class ServiceHttp {
  readonly #machine: Clock
  readonly #quotesErrors: boolean
  readonly #running = new Set<AbortController>()
  #closed = false

  /**
   * @param base origin of the service
   * @param machine the machine's time
   * @param quotesErrors whether refusals show the bodies of error answers
   */
  constructor(
    readonly base: string,
    machine: Clock,
    quotesErrors = true,
  ) {
    this.#machine = machine
    this.#quotesErrors = quotesErrors
  }

  /**
   * Sends a request. Returns its checked answer.
   *
   * @throws ServiceRefusal for an answer other than 2xx
   * @throws Refusal `unreachable`, `no_answer` or `bad_answer`, `cancelled` if the caller has left,
   *   `shutting_down`
   *   after `close`
   */
  async send<T>({ method, target, body, headers, answer, signal }: ServiceRequest<T>): Promise<T> {
    const init = {
      method,
      headers: {
        ...defined({ 'Content-Type': body === undefined ? undefined : 'application/json' }),
        ...headers,
      },
      ...defined({ body: body === undefined ? undefined : JSON.stringify(body) }),
    }
    const text = await this.#run(signal, async controller => {
      const response = await this.#fetch(target, init, controller.signal)
      const text = await response.text()
      if (!response.ok) throw this.#refusal(response, text)
      return text
    })
    const parsed = answer.safeParse(parse(text))
    if (parsed.success) return parsed.data
    throw new Refusal(
      'bad_answer',
      `${this.base} answered ${method} ${withoutQuery(target)} with something else than the service would`,
      'check that a stand-in, or SafeBot itself, is what listens there',
    )
  }

  /**
   * Opens a stream and passes its chunks on until it ends or `signal` fires.
   *
   * @throws Refusal if it cannot be opened or breaks
   */
  async stream(target: string, signal: AbortSignal, onChunk: (chunk: Uint8Array) => void): Promise<void> {
    await this.#run(signal, async controller => {
      const response = await this.#fetch(
        target,
        { headers: { Accept: 'text/event-stream' } },
        controller.signal,
      )
      if (!response.ok) throw this.#refusal(response, await response.text())
      for await (const chunk of response.body ?? []) onChunk(chunk)
    })
  }

  /** Ends running requests with `shutting_down`. Sends no more. */
  close(): void {
    this.#closed = true
    for (const controller of this.#running) controller.abort(shuttingDown())
  }

  /** Runs work that its caller or `close` can end. Work that does not wait also has a time-out. */
  async #run<T>(
    signal: AbortSignal | undefined,
    work: (controller: AbortController) => Promise<T>,
  ): Promise<T> {
    if (this.#closed) throw shuttingDown()
    const controller = new AbortController()
    const leave = () => controller.abort(new Refusal('cancelled', 'the caller has left'))
    const overdue =
      signal === undefined
        ? this.#machine.wakeAt(this.#machine.now() + ANSWER_MS, () => controller.abort(this.#noAnswer()))
        : undefined
    signal?.addEventListener('abort', leave)
    if (signal?.aborted) leave()
    this.#running.add(controller)
    try {
      return await work(controller)
    } catch (error) {
      const { aborted, reason } = controller.signal
      if (aborted && reason instanceof Refusal) throw reason
      throw error instanceof Refusal ? error : this.#unreachable(error)
    } finally {
      this.#running.delete(controller)
      signal?.removeEventListener('abort', leave)
      overdue?.cancel()
    }
  }

  #fetch(target: string, init: RequestInit, signal: AbortSignal): Promise<Response> {
    return fetch(this.base + target, { ...init, signal, redirect: 'error' })
  }

  #refusal({ status, headers }: Response, text: string): Refusal {
    return refusedBy(status, text, headers.get('retry-after'), this.#quotesErrors)
  }

  #noAnswer(): Refusal {
    return new Refusal(
      'no_answer',
      `${this.base} has not answered in ${ANSWER_MS / 1000} s`,
      'see whether it is stuck, and call again',
    )
  }

  #unreachable(error: unknown): Refusal {
    const why = fetchFailure(error)
    if (why.includes('redirect')) {
      return new Refusal(
        'unreachable',
        `${this.base} answered with a redirect, which is not followed`,
        'connect to the address it leads to, if that is to be trusted',
      )
    }
    return new Refusal(
      'unreachable',
      `${this.base} cannot be reached (${why})`,
      'start the stand-in there (understudy up), or connect to where it is, and call again',
    )
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function withoutQuery(target: string): string {
  return target.replace(/\?.*$/s, '')
}
