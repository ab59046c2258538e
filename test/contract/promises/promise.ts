import type { ContractName } from '../../../shared/contract.js'

/** The answer of a server, over HTTP or to a tool call. */
export interface Answer {
  /** Of HTTP. A tool call has 200 for a result with structured content, and 400 for any other. */
  readonly status: number
  readonly type: string
  readonly text: string
  /** The body, or the structured content of a result. */
  readonly json: unknown
  /** `isError` of a tool's result. Undefined over HTTP. */
  readonly marked?: boolean | undefined
}

/** A request as the statement sees it. */
export interface Asked {
  /** Whether it was made as a tool call. */
  readonly tool: boolean
  /** The verb. The answer to HEAD has no body. */
  readonly method: string
  /** The contract that each row of `contract.ts` is judged by. */
  readonly side: (row: string) => ContractName
}

/**
 * A promise of a service. A promise with a status decides how a request is answered, unless an earlier promise of the
 * table has decided. A promise without a status is kept in addition.
 */
export interface Promised<Request extends Asked> {
  readonly what: string
  /** The section of the facts that says so. */
  readonly source: string
  /** The row of `contract.ts`, for what the two contracts promise differently. */
  readonly row?: string
  readonly under?: ContractName
  readonly when: (request: Request) => boolean
  readonly status?: number
  /** The code in the error's body. */
  readonly error?: string
  /** Over HTTP alone, unless `tools` is set. */
  readonly holds?: (answer: Answer, request: Request) => boolean
  readonly tools?: boolean
}

/** The promises that apply to a request. The last of them decides, if any does. */
export function applicable<R extends Asked>(table: readonly Promised<R>[], request: R): Promised<R>[] {
  const found: Promised<R>[] = []
  for (const promise of table) {
    const { row, under } = promise
    if (row !== undefined && request.side(row) !== under) continue
    if (!promise.when(request)) continue
    found.push(promise)
    if (promise.status !== undefined) break
  }
  return found
}

/** The promises that an answer breaks. */
export function broken<R extends Asked>(
  table: readonly Promised<R>[],
  request: R,
  answer: Answer,
): Promised<R>[] {
  return applicable(table, request).filter(promise => !isKept(promise, request, answer))
}

function isKept<R extends Asked>(
  { status, error, holds, tools }: Promised<R>,
  request: R,
  answer: Answer,
): boolean {
  if (status !== undefined) {
    const same = request.tool ? status < 400 === answer.status < 400 : status === answer.status
    if (!same) return false
  }
  if (request.tool) return !tools || (holds?.(answer, request) ?? true)
  if (error !== undefined && request.method !== 'HEAD' && field(answer.json, 'error') !== error) return false
  return holds?.(answer, request) ?? true
}

/** A field of an object; undefined if there is none. */
export function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
