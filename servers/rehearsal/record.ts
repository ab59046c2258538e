import type { ServerName } from '../../shared/util/known-tools.js'
import { isObject } from '../../shared/util/objects.js'
import type { PlannedCall } from './plan/step.js'
import type { Arrived } from './stage/stage.js'
import type { Answer } from './via/caller.js'

/** The expected outcome of a call, from the rehearsal's own decision engine or from a scenario. */
export type Expectation = (
  | { readonly outcome: 'allow' }
  /** `rule` is undefined if the outcome comes from `expect: deny` or `expect: approve` of a scenario. */
  | { readonly outcome: 'deny' | 'approve'; readonly rule?: string }
) & {
  /**
   * True if it is not known whether a limit allows or denies the call. `outcome` is then the observed
   * outcome.
   */
  readonly unsure?: true
}

/**
 * One call of the rehearsal: the request that was sent, the answer that the caller saw, and the requests that
 * reached the upstream.
 */
export interface CallRecord {
  readonly call: PlannedCall
  readonly server: ServerName
  /** The arguments as they were sent. */
  readonly args: unknown
  readonly argsHash: string | null
  /** The W3C trace id of the call. Null if the call has no trace id. */
  readonly trace: string | null
  expected: Expectation
  /**
   * The outcome that the scenario expects, if `expected` holds the outcome from the policy. Undefined if the
   * scenario expects no outcome, or if there is no policy.
   */
  scenarioExpected?: Expectation | undefined
  /** The JSON-RPC id. Undefined for a notification. */
  readonly id: string | number | undefined
  answer: Answer
  /** The requests at the upstream that belong to this call and arrived while it was under way. */
  readonly arrived: Arrived[]
  /** The requests at the upstream that belong to this call and arrived after its answer. */
  readonly late: Arrived[]
  /** Whether the call was sent in a batch. One HTTP error can answer all calls of a batch. */
  readonly batched?: true
  /** Whether the gateway refused the whole batch of this call. */
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
 * Finds the call of the rehearsal to which each request at the upstream belongs.
 *
 * A request belongs to the call with the same trace id. If there is none, the request belongs to a call with
 * the same tool and arguments: one that is under way, or else an earlier one. If there is no such call
 * either, the request belongs to the only call that is under way. With several calls under way, the request
 * stays unassigned.
 */
export class Attribution {
  readonly #records: CallRecord[] = []
  readonly #unassigned: Arrived[] = []

  /** Assigns requests to calls. @param arrived the requests that arrived while `records` were under way */
  take(records: readonly CallRecord[], arrived: readonly Arrived[]): void {
    for (const request of arrived) {
      const own =
        withTraceOf(records, request) ?? leastServed(records.filter(record => hasSameCall(record, request)))
      if (own !== undefined) own.arrived.push(request)
      else if (!this.#assignLate(request)) {
        const [alone, another] = records
        if (alone !== undefined && another === undefined) alone.arrived.push(request)
        else this.#unassigned.push(request)
      }
    }
    this.#records.push(...records)
  }

  /**
   * Assigns requests that arrived when no call was under way.
   *
   * @returns the requests that belong to no call of the rehearsal
   */
  finish(arrived: readonly Arrived[]): Arrived[] {
    return [...this.#unassigned, ...arrived.filter(request => !this.#assignLate(request))]
  }

  /**
   * Assigns a request to an earlier call with the same tool and arguments. Chooses the latest of these calls
   * that had to be denied. If none of them had to be denied, chooses the latest of them.
   *
   * @returns whether there is such an earlier call
   */
  #assignLate(request: Arrived): boolean {
    const same = this.#records.filter(record => hasSameCall(record, request)).reverse()
    const own = same.find(({ expected }) => expected.outcome !== 'allow') ?? same[0]
    own?.late.push(request)
    return own !== undefined
  }
}

function withTraceOf(records: readonly CallRecord[], { entry }: Arrived): CallRecord | undefined {
  return entry.trace === null ? undefined : records.find(({ trace }) => trace === entry.trace)
}

function hasSameCall({ call, argsHash }: CallRecord, { entry }: Arrived): boolean {
  return entry.tool === call.tool && entry.argsHash === argsHash
}

/**
 * Returns the first call that has no request yet, so that calls with the same tool and arguments get one
 * request each. Prefers calls that are expected to be allowed.
 */
function leastServed(records: readonly CallRecord[]): CallRecord | undefined {
  const allowed = records.filter(({ expected }) => expected.outcome === 'allow')
  return (
    allowed.find(({ arrived }) => arrived.length === 0) ??
    records.find(({ arrived }) => arrived.length === 0) ??
    records[0]
  )
}
