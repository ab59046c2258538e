import type { IncomingMessage } from 'node:http'
import type { Request, Response } from 'express'
import type { z } from 'zod'

/** The description of an operation, from which `/openapi.json` is generated. */
export interface OperationDescription {
  /**
   * The HTTP method. `ALL` stands for every method. OpenAPI has no such method, so an operation with `ALL`
   * must be `hidden`.
   */
  method: 'GET' | 'PUT' | 'POST' | 'DELETE' | 'ALL'
  /** The path in Express's form, e.g. `/snapshots/:id`. */
  path: string
  summary: string
  /** The schema of the path parameters. Default: each parameter is a string. */
  params?: z.ZodObject
  query?: z.ZodObject
  /** The schema of the JSON body. */
  body?: z.ZodType
  /**
   * The schema of a JSON answer, or the media type of any other answer. Undefined: the answer has no body.
   */
  answer?: z.ZodType | string | undefined
  /** The HTTP status of the answer, unless the handler sets another status. Default 200. */
  status?: number
  /**
   * The schemas of the answers with other HTTP statuses. Each key is a status. If its schema is undefined,
   * the answer has no body.
   */
  others?: Readonly<Record<number, z.ZodType | undefined>>
  /** The HTTP statuses of the errors that the operation can answer with. */
  refusals?: readonly number[]
  /**
   * The credentials that the operation accepts. Each key is the name of a security scheme in `/openapi.json`.
   */
  security?: readonly Readonly<Record<string, string[]>>[]
  /** Set if `/openapi.json` does not list the operation. */
  hidden?: true
}

/** One operation of an HTTP API: its route, its description and its handler. */
export interface Operation extends OperationDescription {
  /** Returns the JSON answer, or undefined if the handler has written the answer itself. */
  run(request: Request, response: Response): unknown
}

/** The result of a handler: the JSON answer, or undefined if the handler has sent the answer itself. */
export type Returned<Answer extends z.ZodType> =
  | Promise<z.input<Answer> | undefined>
  | z.input<Answer>
  | undefined

/**
 * Declares one operation. The TypeScript compiler checks the return type of `run` against the schema of the
 * answer.
 *
 * @param spec `run` can set another status on the response. Errors of `run` are passed to the error handler
 *   of the API (`reject` in api.ts)
 */
export function operation<Answer extends z.ZodType>(
  spec: OperationDescription & {
    answer?: Answer | string | undefined
    run(request: Request, response: Response): Returned<Answer>
  },
): Operation {
  return spec
}

/** Returns a parameter of the path, percent-decoded. */
export function paramOf({ params }: Request, name: string): string {
  return String(params[name] ?? '')
}

/** Returns the text after the `?` of the URL. Returns an empty text if there is no `?`. */
export function queryTextOf({ url = '' }: IncomingMessage): string {
  const mark = url.indexOf('?')
  return mark < 0 ? '' : url.slice(mark + 1)
}

/** Returns a signal that is aborted when the caller disconnects before it has received its answer. */
export function hangUpSignal(response: Response): AbortSignal {
  const controller = new AbortController()
  const hungUp = () => {
    if (!response.writableFinished) controller.abort('the caller hung up')
  }
  if (response.closed) hungUp()
  else response.on('close', hungUp)
  return controller.signal
}
