import type { Request, Response } from 'express'
import type { z } from 'zod'

/** The documentation of an operation in `/openapi.json`. */
export interface Documentation {
  /**
   * The HTTP method. `ALL` stands for every method and needs `hidden`, because OpenAPI has no such method.
   */
  method: 'GET' | 'PUT' | 'POST' | 'DELETE' | 'ALL'
  /** The path in Express's form, e.g. `/snapshots/:id`. */
  path: string
  summary: string
  /** The schema of the path parameters. Default: a text for each parameter. */
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
  /** The schemas of other answers, by HTTP status. Undefined: that answer has no body. */
  others?: Readonly<Record<number, z.ZodType | undefined>>
  /** The HTTP statuses of the errors. */
  refusals?: readonly number[]
  /** The credentials that the operation accepts, by the names of the document's security schemes. */
  security?: readonly Readonly<Record<string, string[]>>[]
  /** Whether to leave the operation out of `/openapi.json`. */
  hidden?: true
}

/** One operation of an HTTP API: its route, its documentation and its handler. */
export interface Operation extends Documentation {
  /** Returns the JSON answer, or undefined if the handler has written the answer itself. */
  run(request: Request, response: Response): unknown
}

/** The result of a handler: the JSON answer, or undefined if the handler has sent the answer itself. */
export type Returned<Answer extends z.ZodType> =
  | Promise<z.input<Answer> | undefined>
  | z.input<Answer>
  | undefined

/**
 * Declares one operation. The compiler compares the result of `run` with the schema of the answer.
 *
 * @param spec `run` may set another status on the response. Errors of `run` are passed to the API's `reject`
 */
export function operation<Answer extends z.ZodType>(
  spec: Documentation & {
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
export function searchOf({ url }: Request): string {
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
