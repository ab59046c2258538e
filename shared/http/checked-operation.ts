import type { Request, Response } from 'express'
import type { z } from 'zod'
import { Refusal } from '../errors.js'
import { checked, strict } from '../util/check.js'
import {
  type Operation,
  type OperationDescription,
  operation,
  queryTextOf,
  type Returned,
} from './operation.js'

/** Maximum nesting depth of a body. A deeper value can be parsed, but it cannot be copied or shown. */
const MAX_DEPTH = 100

/** Maximum size of a body in bytes. The limit is large enough for any table of faults or overlays. */
export const JSON_BODY_LIMIT = 1024 * 1024

/** A request whose query and body have been checked. */
export interface CheckedRequest<Query, Body> {
  query: Query
  body: Body
  request: Request
  response: Response
}

const EMPTY_OBJECT = strict({})

/**
 * Declares an operation whose schemas check the query and the body. Unknown parameters and fields are
 * refused.
 *
 * @param spec `bodyCode` is the code of the refusal for an invalid body. `refusals` need not contain 400
 *   and 413, because both are added
 */
export function checkedOperation<
  Answer extends z.ZodType,
  Query extends z.ZodObject = typeof EMPTY_OBJECT,
  Body extends z.ZodType = typeof EMPTY_OBJECT,
>({
  run,
  bodyCode = 'bad_body',
  ...spec
}: OperationDescription & {
  query?: Query
  body?: Body
  bodyCode?: string
  answer: Answer | string
  run(given: CheckedRequest<z.output<Query>, z.output<Body>>): Returned<Answer>
}): Operation {
  const { method, query, body, refusals = [] } = spec
  return operation<Answer>({
    ...spec,
    refusals: [...(method === 'GET' ? [400] : [400, 413]), ...refusals],
    run: (request, response) =>
      run({
        // If there is no schema, the types `Query` and `Body` are those of the empty schema.
        query: queryOf(request, query) as z.output<Query>,
        body: (method === 'GET' ? {} : bodyOf(request, body ?? EMPTY_OBJECT, bodyCode)) as z.output<Body>,
        request,
        response,
      }),
  })
}

/**
 * Reads and checks the body.
 *
 * @throws Refusal `body_too_large`, `bad_json`, or the given code for an invalid body
 */
function bodyOf({ rawBody, bodyTooLarge }: Request, schema: z.ZodType, code: string): unknown {
  if (bodyTooLarge) {
    throw new Refusal(
      'body_too_large',
      `the body is larger than ${JSON_BODY_LIMIT} bytes`,
      'send less in one request',
    )
  }
  // An empty body is read as an empty object.
  const text = rawBody.toString('utf8').trim()
  return checked(schema, text === '' ? {} : parseBody(text), code, 'body')
}

/**
 * Parses the JSON of a request.
 *
 * @throws Refusal `bad_json`
 */
export function parseBody(text: string): unknown {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new Refusal('bad_json', `the body is no JSON: ${why}`, 'send JSON, e.g. with curl -d')
  }
  if (isDeeperThan(body, MAX_DEPTH)) {
    throw new Refusal(
      'bad_json',
      `the body is nested more than ${MAX_DEPTH} levels deep`,
      'send a body with fewer levels',
    )
  }
  return body
}

/** Returns whether a value is nested more than `levels` levels deep. */
function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some(item => isDeeperThan(item, levels - 1))
}

/**
 * Reads and checks the parameters in a request's URL.
 *
 * @throws Refusal `bad_query` for a parameter that is unknown, repeated or of the wrong type
 */
function queryOf(request: Request, schema: z.ZodObject | undefined): unknown {
  const given: Record<string, string> = {}
  for (const [name, value] of new URLSearchParams(queryTextOf(request))) {
    if (Object.hasOwn(given, name)) {
      throw new Refusal('bad_query', `query.${name} is given twice`, 'give it once')
    }
    given[name] = value
  }
  const [first] = Object.keys(given)
  if (schema === undefined && first !== undefined) {
    throw new Refusal(
      'bad_query',
      `query.${first} is given, and ${request.path} takes no parameters`,
      'leave it out',
    )
  }
  return checked(schema ?? EMPTY_OBJECT, given, 'bad_query', 'query')
}
