import type { z } from 'zod'
import { Refusal } from '../../../shared/errors.js'
import { defined } from '../../../shared/util/objects.js'
import { errorAnswer } from '../schemas/health.js'
import { type StreamEvent, serverEvents } from './events.js'

export interface ControlRequest {
  method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  /** The path with its query. It starts with a slash. */
  path: string
  body?: unknown
  headers?: Record<string, string>
  signal?: AbortSignal | undefined
}

/** The position at which a stream begins. */
export interface Resumption {
  /** The stream begins with the entries after this seq. 0: all stored entries. Default: only new events. */
  after?: number
  /** The `id` of the last event that the client has seen. The stream continues after that event. */
  lastEventId?: string
  signal?: AbortSignal
}

/** Sends requests to a control plane and checks the answers. */
export class Exchange {
  readonly #base: string

  /** @param base the URL of the control plane, e.g. `http://127.0.0.1:4800` */
  constructor(base: string) {
    this.#base = base.replace(/\/+$/, '')
  }

  /**
   * Sends a request and reads its answer.
   *
   * @throws ControlError as `open` does, and if the answer does not match the schema
   */
  async read<Schema extends z.ZodType>(request: ControlRequest, schema: Schema): Promise<z.output<Schema>> {
    const response = await this.open(request)
    const answer = schema.safeParse(parseJson(await response.text()))
    if (answer.success) return answer.data
    const [issue] = answer.error.issues
    throw new ControlError(
      response.status,
      'bad_answer',
      `the answer to ${request.method} ${request.path} does not have the form that this client knows (${issue?.path.join('.')}: ${issue?.message})`,
      'use the client of the same version as the server',
    )
  }

  /**
   * Sends a request. Resolves with the response, whose body is not read yet.
   *
   * @throws ControlError if the control plane refuses the request or cannot be reached
   * @throws the abort reason of `signal`
   */
  async open({ method, path, body, headers, signal }: ControlRequest): Promise<Response> {
    const response = await this.#fetched(path, {
      method,
      headers: {
        ...headers,
        ...defined({ 'Content-Type': body === undefined ? undefined : 'application/json' }),
      },
      ...defined({ body: body === undefined ? undefined : JSON.stringify(body), signal }),
    })
    if (response.ok) return response
    const text = await response.text()
    const refused = errorAnswer.safeParse(parseJson(text))
    if (!refused.success) {
      throw new ControlError(
        response.status,
        'bad_answer',
        `${method} ${path} was answered ${response.status}: ${text.slice(0, 200)}`,
      )
    }
    const { code, message, hint } = refused.data.error
    throw new ControlError(response.status, code, message, hint ?? undefined)
  }

  /** Yields the events of a stream until the stream ends. */
  async *events(
    path: string,
    { lastEventId, signal }: { lastEventId: string | undefined; signal: AbortSignal | undefined },
  ): AsyncGenerator<StreamEvent> {
    const headers: Record<string, string> = lastEventId === undefined ? {} : { 'Last-Event-ID': lastEventId }
    const { body } = await this.open({ method: 'GET', path, headers, signal })
    if (body !== null) yield* serverEvents(body)
  }

  async #fetched(path: string, init: RequestInit): Promise<Response> {
    try {
      return await fetch(`${this.#base}${path}`, init)
    } catch (error) {
      init.signal?.throwIfAborted()
      const cause =
        error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error)
      throw new ControlError(
        0,
        'unreachable',
        `${this.#base} cannot be reached (${cause})`,
        'start it with understudy up, or use the URL that understudy up prints for the control plane',
      )
    }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Formats a query string. Null becomes an empty value, and an object becomes JSON. */
export function queryOf(request: Readonly<Record<string, unknown>>): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(request)) {
    if (value !== undefined)
      query.set(
        name,
        typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value ?? ''),
      )
  }
  return query.size === 0 ? '' : `?${query}`
}

/**
 * Thrown if the control plane refuses a request, sends an unknown answer, or cannot be reached (status 0).
 */
export class ControlError extends Refusal {
  override readonly name = 'ControlError'

  /** @param status the HTTP status, or 0 if there was no answer */
  constructor(
    readonly status: number,
    code: string,
    message: string,
    hint?: string,
  ) {
    super(code, message, hint)
  }
}
