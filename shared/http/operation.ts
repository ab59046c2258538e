import type { z } from 'zod'
import { Refusal } from '../errors.js'
import { checked, strict } from '../util/check.js'
import { defined } from '../util/defined.js'
import type { HttpCall } from './http-call.js'
import { json } from './json-answers.js'
import type { HttpAnswer, Route } from './routes.js'

/** Far more than any fault, overlay or world needs; what is nested deeper could be read, and not be copied or shown. */
const DEEPEST = 100

/** Enough for any table of faults or overlays. */
const BODY_LIMIT = 1024 * 1024

/** What an operation's route is, for the router and for `/openapi.json`. */
export interface OperationDescription {
  method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  /** E.g. `/snapshots/:id`. */
  path: string
  summary: string
  query?: z.ZodObject
  /** What a JSON body must be. */
  body?: z.ZodType
  /** The schema of a JSON answer, or the media type of any other. */
  answer: z.ZodType | string
  /** The status of a good answer. Default 200. */
  status?: number
  /** The statuses of what it may refuse, beside 400 and 413, which all may. */
  refusals?: readonly number[]
  /** Answers of other statuses that are no plain errors. */
  others?: Readonly<Record<number, z.ZodType>>
}

/** A route of the control plane that knows how to describe itself. */
export interface Operation extends Route {
  description: OperationDescription
}

interface Given<Query, Body> {
  query: Query
  body: Body
  call: HttpCall
}

const nothing = strict({})

/**
 * One operation: what it takes and answers, each by its schema, and what it does.
 *
 * @param spec `bodyCode`: of the refusal of a body; `run` returns the answer
 */
export function operation<
  Answer extends z.ZodType,
  Query extends z.ZodObject = typeof nothing,
  Body extends z.ZodType = typeof nothing,
>(
  spec: OperationDescription & {
    query?: Query
    body?: Body
    bodyCode?: string
    answer: Answer
    run(given: Given<z.output<Query>, z.output<Body>>): Promise<z.input<Answer>> | z.input<Answer>
  },
): Operation {
  const { run, query, body, bodyCode = 'bad_body', ...description } = spec
  return {
    method: spec.method,
    path: spec.path,
    ...(spec.method !== 'GET' && { bodyLimit: BODY_LIMIT }),
    description: { ...description, ...defined({ query, body }) },
    async run(call) {
      // Where a schema is left out, its type parameter is the default, and that is the schema it is read by.
      const given = {
        query: queryOf(call, query) as z.output<Query>,
        body: bodyOf(call, body ?? nothing, bodyCode) as z.output<Body>,
        call,
      }
      return json(spec.status ?? 200, await run(given))
    },
  }
}

/** One operation that gives the whole answer by itself, or undefined if it streams. */
export function rawOperation<Query extends z.ZodObject = typeof nothing>(
  spec: OperationDescription & {
    query?: Query
    run(query: z.output<Query>, call: HttpCall): Promise<HttpAnswer | undefined>
  },
): Operation {
  const { run, query, ...description } = spec
  return {
    method: spec.method,
    path: spec.path,
    description: { ...description, ...defined({ query }) },
    run: async call => run(queryOf(call, query) as z.output<Query>, call),
  }
}

/** @throws Refusal `body_too_large`, `bad_json`, or of that code */
function bodyOf(call: HttpCall, schema: z.ZodType, code: string): unknown {
  if (call.tooLarge) {
    throw new Refusal(
      'body_too_large',
      `the body is larger than ${BODY_LIMIT} bytes`,
      'send less in one request',
    )
  }
  // What needs nothing need not be sent an empty object.
  const text = call.body.toString('utf8').trim()
  return checked(schema, text === '' ? {} : parseBody(text), code, 'body')
}

/**
 * The JSON of a request.
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
  if (isDeeperThan(body, DEEPEST)) {
    throw new Refusal('bad_json', `the body is nested more than ${DEEPEST} levels deep`, 'send it flatter')
  }
  return body
}

/** Returns whether a value is nested more than that many levels deep. */
function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some(item => isDeeperThan(item, levels - 1))
}

/**
 * The parameters of a request's URL, read by their schema.
 *
 * @throws Refusal `bad_query` for one that is unknown, given twice or not what it takes
 */
function queryOf(call: HttpCall, schema: z.ZodObject | undefined): unknown {
  const given: Record<string, string> = {}
  for (const [name, value] of call.query) {
    if (Object.hasOwn(given, name)) {
      throw new Refusal('bad_query', `query.${name} is given twice`, 'give it once')
    }
    given[name] = value
  }
  const [first] = Object.keys(given)
  if (schema === undefined && first !== undefined) {
    throw new Refusal(
      'bad_query',
      `query.${first} is given, and ${call.path} takes no parameters`,
      'leave it out',
    )
  }
  return checked(schema ?? nothing, given, 'bad_query', 'query')
}
