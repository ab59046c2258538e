import type { Request, Response } from 'express'
import type { z } from 'zod'

/** The documentation of an operation: its part of `/openapi.json`. */
export interface Documentation {
  /** `ALL` stands for every method. It needs `hidden`: OpenAPI has no such method. */
  method: 'GET' | 'PUT' | 'POST' | 'DELETE' | 'ALL'
  /** In Express's form, e.g. `/snapshots/:id`. */
  path: string
  summary: string
  /** Default: a text for each parameter of the path. */
  params?: z.ZodObject
  query?: z.ZodObject
  /** The JSON body. */
  body?: z.ZodType
  /** The schema of a JSON answer, or the media type of any other. Undefined: the answer has no body. */
  answer?: z.ZodType | string | undefined
  /** The HTTP status of the answer, unless the handler sets another. Default 200. */
  status?: number
  /** The schemas of further answers, by HTTP status. Undefined: the answer has no body. */
  others?: Readonly<Record<number, z.ZodType | undefined>>
  /** The HTTP statuses of errors. */
  refusals?: readonly number[]
  /** The credentials that the operation takes, by the names of the document's security schemes. */
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
 * Declares one operation. The compiler compares what `run` returns with the schema of the answer.
 *
 * @param spec `run` may set another status on the response. Its errors go to the API's `reject`
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

/** Returns the text behind the `?` of the URL. It is empty without one. */
export function searchOf({ url }: Request): string {
  const mark = url.indexOf('?')
  return mark < 0 ? '' : url.slice(mark + 1)
}

/** Returns a signal that fires when the caller hangs up before it has its answer. */
export function hangUpSignal(response: Response): AbortSignal {
  const controller = new AbortController()
  const hungUp = () => {
    if (!response.writableFinished) controller.abort('the caller hung up')
  }
  if (response.closed) hungUp()
  else response.on('close', hungUp)
  return controller.signal
}
