import type { z } from 'zod'
import type { Clock } from '../../../shared/clock/clock.js'
import { fetchFailure } from '../../../shared/http/fetch-failure.js'
import { defined } from '../../../shared/util/objects.js'
import { ServiceRefusal } from '../domain/refusals.js'
import { errorBody } from '../http/schemas.js'
import type { Abortable, Caller } from '../service.js'

/** The User-Agent of the real client. All versions of the client send this text. */
const USER_AGENT = 'instanode-mcp/0.7.0'

/** Milliseconds to wait for an answer. A call of the service takes less, and MCP clients wait for longer. */
const TIMEOUT_MS = 30_000

export interface ApiRequest<Schema extends z.ZodType> {
  method: 'GET' | 'POST' | 'DELETE'
  /** Begins with a slash. */
  path: string
  caller: Caller
  body?: Record<string, unknown>
  /** The schema of a successful answer. */
  answer: Schema
  call?: Abortable | undefined
}

/** Calls the HTTP API of an Instanode service. */
export class ApiClient {
  readonly #base: string
  readonly #machine: Clock

  /**
   * @param base URL of the service, without a slash at its end
   * @param machine machine time, for the time-out of an answer
   */
  constructor(base: string, machine: Clock) {
    this.#base = base
    this.#machine = machine
  }

  /**
   * Sends a request.
   *
   * @returns the answer, checked against its schema
   * @throws ServiceRefusal with the status and code of the service's own error, or with status 0 if the
   *   service cannot be reached
   */
  async send<Schema extends z.ZodType>(request: ApiRequest<Schema>): Promise<z.output<Schema>> {
    const { status, text } = await this.#exchange(request)
    const json = parseJson(text)
    if (status < 200 || status > 299) throw refusalOf(status, json)
    const answer = request.answer.safeParse(json)
    if (answer.success) return answer.data
    const [issue] = answer.error.issues
    const where =
      issue === undefined ? '' : ` (${issue.path.join('.') || 'the whole answer'}: ${issue.message})`
    throw new ServiceRefusal(
      status,
      'bad_answer',
      `${this.#base} answered ${request.method} ${request.path} in an unknown form${where}: ` +
        'check that it is an Instanode service',
    )
  }

  async #exchange({ method, path, caller, body, call }: ApiRequest<z.ZodType>) {
    const timeout = new AbortController()
    const timer = this.#machine.wakeAt(this.#machine.now() + TIMEOUT_MS, () =>
      timeout.abort(new Error(`no answer within ${TIMEOUT_MS / 1000} seconds`)),
    )
    const signals = call === undefined ? [timeout.signal] : [timeout.signal, call.signal]
    try {
      const response = await fetch(`${this.#base}${path}`, {
        method,
        headers: {
          // The real client also sends this header with GET and DELETE.
          'Content-Type': 'application/json',
          'User-Agent': USER_AGENT,
          ...defined({ Authorization: caller.bearer && `Bearer ${caller.bearer}` }),
        },
        // A followed redirect could send the account token to another service.
        redirect: 'manual',
        signal: AbortSignal.any(signals),
        ...defined({ body: body && JSON.stringify(body) }),
      })
      return { status: response.status, text: await response.text() }
    } catch (error) {
      throw this.#unreachable(error)
    } finally {
      timer.cancel()
    }
  }

  #unreachable(error: unknown): ServiceRefusal {
    return new ServiceRefusal(
      0,
      'unreachable',
      `${this.#base} cannot be reached (${fetchFailure(error)}): ` +
        'start it with understudy up, or name another service with --connect',
    )
  }
}

/**
 * Returns the refusal in an answer of the service, or `upstream_error` if the answer is not an error of the
 * service.
 */
function refusalOf(status: number, json: unknown): ServiceRefusal {
  const body = errorBody.safeParse(json)
  if (!body.success) return new ServiceRefusal(status, 'upstream_error', `upstream error (HTTP ${status})`)
  const { error, message = error, upgrade_url } = body.data
  return new ServiceRefusal(status, error, message, upgrade_url)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
