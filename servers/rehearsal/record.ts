import { isObject } from '../../shared/util/is-object.js'
import type { ServerName } from '../../shared/util/known-tools.js'
import type { PlannedCall } from './plan/step.js'
import type { Arrived } from './stage/stage.js'
import type { Answer } from './via/caller.js'

/** The expected outcome of a call, from the rehearsal's own decision engine or from a scenario. */
export type Expectation = (
  | { readonly outcome: 'allow' }
  /** The rule is undefined if a scenario writes `expect: deny` or `expect: approve`. */
  | { readonly outcome: 'deny' | 'approve'; readonly rule?: string }
) & {
  /** Whether a limit may allow or deny the call. The expected outcome is then the one that was observed. */
  readonly unsure?: true
}

/**
 * One call with the request as it was sent, the answer that its caller saw, and the requests that reached the
 * upstream.
 */
export interface CallRecord {
  readonly call: PlannedCall
  readonly server: ServerName
  /** The arguments as they were sent. */
  readonly args: unknown
  readonly argsHash: string | null
  /** The W3C trace id of the call. Null if it has none. */
  readonly trace: string | null
  expected: Expectation
  /** The outcome that the scenario expects, beside the policy's. Undefined if the scenario gives none. */
  meant?: Expectation | undefined
  /** The JSON-RPC id. Undefined for a notification. */
  readonly id: string | number | undefined
  answer: Answer
  /** The requests at the upstream that belong to this call. */
  readonly arrived: Arrived[]
  /** The requests at the upstream that belong to this call and arrived after its answer. */
  readonly late: Arrived[]
  /** Whether the call was sent in a batch. One HTTP error may answer all calls of a batch. */
  readonly batched?: true
  /** Whether the gateway refused the batch of this call as a whole. */
  readonly refusedBatch: boolean
}

/** A call that was not made, or that cannot be judged. */
export interface Skipped {
  readonly expected: 'allow' | 'deny' | 'approve'
  readonly why: string
  /** The requests at the upstream that belong to this call. */
  readonly arrived: readonly Arrived[]
}

/** Returns whether an answer has a result that is neither an error nor a request for input. */
export function succeeded(answer: Answer): boolean {
  if (answer.kind !== 'response' || !isObject(answer.message.result)) return false
  const { isError, resultType } = answer.message.result
  return isError !== true && resultType !== 'input_required'
}

/**
 * Assigns the requests that reached the upstream to calls of the rehearsal.
 *
 * A request belongs to the call with the same trace id, or to a call with the same tool and arguments. A
 * request without such a call belongs to the call that was under way, if there was only one.
 */
export class Attribution {
  readonly #records: CallRecord[] = []
  readonly #open: Arrived[] = []

  /** Assigns requests to calls. @param arrived the requests that arrived while these calls were under way */
  take(records: readonly CallRecord[], arrived: readonly Arrived[]): void {
    for (const request of arrived) {
      const own = ofTrace(records, request) ?? leastServed(records.filter(record => isSame(record, request)))
      if (own !== undefined) own.arrived.push(request)
      else if (!this.#late(request)) {
        const [alone, another] = records
        if (alone !== undefined && another === undefined) alone.arrived.push(request)
        else this.#open.push(request)
      }
    }
    this.#records.push(...records)
  }

  /**
   * Assigns requests that arrived when no call was under way.
   *
   * @returns requests that belong to no call of the rehearsal
   */
  finish(arrived: readonly Arrived[]): Arrived[] {
    return [...this.#open, ...arrived.filter(request => !this.#late(request))]
  }

  /**
   * Assigns a request to the latest equal call that was denied, or else to the latest equal call.
   *
   * @returns whether there is one
   */
  #late(request: Arrived): boolean {
    const same = this.#records.filter(record => isSame(record, request)).reverse()
    const own = same.find(({ expected }) => expected.outcome !== 'allow') ?? same[0]
    own?.late.push(request)
    return own !== undefined
  }
}

function ofTrace(records: readonly CallRecord[], { entry }: Arrived): CallRecord | undefined {
  return entry.trace === null ? undefined : records.find(({ trace }) => trace === entry.trace)
}

function isSame({ call, argsHash }: CallRecord, { entry }: Arrived): boolean {
  return entry.tool === call.tool && entry.argsHash === argsHash
}

/**
 * Returns the call that still lacks a request, so that equal calls get one request each. Prefers allowed
 * calls.
 */
function leastServed(records: readonly CallRecord[]): CallRecord | undefined {
  const allowed = records.filter(({ expected }) => expected.outcome === 'allow')
  return (
    allowed.find(({ arrived }) => arrived.length === 0) ??
    records.find(({ arrived }) => arrived.length === 0) ??
    records[0]
  )
}
