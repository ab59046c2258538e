import type { z } from 'zod'
import type { Clock } from '../../../shared/clock/clock.js'
import { Refusal } from '../../../shared/errors.js'
import { fetchFailure } from '../../../shared/http/fetch-failure.js'
import { defined } from '../../../shared/util/objects.js'
import { shuttingDown } from '../domain/refusals.js'
import { refusalForAnswer } from './http-refusals.js'

/** Time-out of a request that does not wait for a message, in milliseconds. */
const ANSWER_TIMEOUT_MS = 15_000

export interface ServiceRequest<T> {
  method: 'GET' | 'POST'
  /** Path and query of the request. */
  target: string
  /** Sent as JSON. */
  body?: unknown
  headers?: Record<string, string>
  /** Schema of the answer. */
  answer: z.ZodType<T>
  /**
   * Aborted when the caller leaves. A request with a signal may wait for a message, and has no time-out here.
   */
  signal?: AbortSignal
}

/**
 * Sends HTTP requests to one service. Redirects are refused, because a signed request must not reach another
 * service.
 */
export class ServiceHttp {
  readonly #machine: Clock
  readonly #showsErrorBodies: boolean
  readonly #running = new Set<AbortController>()
  #closed = false

  /**
   * @param base origin of the service
   * @param machine machine time, for time-outs
   * @param showsErrorBodies whether refusals quote the bodies of error answers. Default true
   */
  constructor(
    readonly base: string,
    machine: Clock,
    showsErrorBodies = true,
  ) {
    this.#machine = machine
    this.#showsErrorBodies = showsErrorBodies
  }

  /**
   * Sends a request and returns the answer, checked by the request's schema.
   *
   * @throws ServiceRefusal for an error status
   * @throws Refusal `unreachable`; `no_answer` after {@link ANSWER_TIMEOUT_MS}; `bad_answer` if the schema
   *   refuses the answer; `cancelled` if the caller has left; `shutting_down` after `close`
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
      `the answer of ${this.base} to ${method} ${withoutQuery(target)} does not have the form of a SafeBot answer`,
      'check that a stand-in or SafeBot listens at this address',
    )
  }

  /**
   * Opens an event stream and reads it until the stream ends or `signal` is aborted.
   *
   * @param onChunk receives the bytes in the order of arrival
   * @throws Refusal as {@link send} does, also if an open stream breaks
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

  /** Ends all running requests with `shutting_down`. Later requests are refused in the same way. */
  close(): void {
    this.#closed = true
    for (const controller of this.#running) controller.abort(shuttingDown())
  }

  /**
   * Runs `work` until the caller leaves, {@link close} is called or, without `signal`, the time-out expires.
   * Converts every error to a refusal.
   */
  async #run<T>(
    signal: AbortSignal | undefined,
    work: (controller: AbortController) => Promise<T>,
  ): Promise<T> {
    if (this.#closed) throw shuttingDown()
    const controller = new AbortController()
    const onCallerLeft = () => controller.abort(new Refusal('cancelled', 'the caller has left'))
    const timeout =
      signal === undefined
        ? this.#machine.wakeAt(this.#machine.now() + ANSWER_TIMEOUT_MS, () =>
            controller.abort(this.#noAnswer()),
          )
        : undefined
    signal?.addEventListener('abort', onCallerLeft)
    if (signal?.aborted) onCallerLeft()
    this.#running.add(controller)
    try {
      return await work(controller)
    } catch (error) {
      const { aborted, reason } = controller.signal
      if (aborted && reason instanceof Refusal) throw reason
      throw error instanceof Refusal ? error : this.#unreachable(error)
    } finally {
      this.#running.delete(controller)
      signal?.removeEventListener('abort', onCallerLeft)
      timeout?.cancel()
    }
  }

  #fetch(target: string, init: RequestInit, signal: AbortSignal): Promise<Response> {
    return fetch(this.base + target, { ...init, signal, redirect: 'error' })
  }

  #refusal({ status, headers }: Response, text: string): Refusal {
    return refusalForAnswer(status, text, headers.get('retry-after'), this.#showsErrorBodies)
  }

  #noAnswer(): Refusal {
    return new Refusal(
      'no_answer',
      `${this.base} has not answered in ${ANSWER_TIMEOUT_MS / 1000} s`,
      'check that the service is running, and call again',
    )
  }

  #unreachable(error: unknown): Refusal {
    const why = fetchFailure(error)
    if (why.includes('redirect')) {
      return new Refusal(
        'unreachable',
        `${this.base} answered with a redirect, and redirects are not followed`,
        'if you trust the target of the redirect, connect to it directly',
      )
    }
    return new Refusal(
      'unreachable',
      `${this.base} cannot be reached (${why})`,
      'start the stand-in there (understudy up), or connect to its address, and call again',
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
