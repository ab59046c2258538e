import { isObject } from '../../shared/util/is-object.js'
import type { ServerName } from '../../shared/util/known-tools.js'
import type { PlannedCall } from './plan/step.js'
import type { Arrived } from './stage/stage.js'
import type { Answer } from './via/caller.js'

/** The outcome that a call is to have. The decision engine gives it, apart from the gateway, or a scenario. */
export type Expectation = (
  | { readonly outcome: 'allow' }
  /** A scenario that writes `expect: deny` names no rule. */
  | { readonly outcome: 'deny' | 'approve'; readonly rule?: string }
) & {
  /** Whether a limit leaves open if the call passes. The expectation is then what has become of it. */
  readonly unsure?: true
}

/** One call: as it was sent, as its caller saw it, and as it reached the upstream. */
export interface CallRecord {
  readonly call: PlannedCall
  readonly server: ServerName
  /** As they were sent. */
  readonly args: unknown
  readonly argsHash: string | null
  /** The W3C trace id that the call carried; null without one. */
  readonly trace: string | null
  expected: Expectation
  /** The outcome that the scenario expects, where a policy decides. Undefined if the scenario does not say. */
  meant?: Expectation | undefined
  /** The JSON-RPC id; undefined for a notification. */
  readonly id: string | number | undefined
  answer: Answer
  /** The upstream's requests that are this call. */
  readonly arrived: Arrived[]
  /** Requests that are this call, and came after its answer. */
  readonly late: Arrived[]
  /** Whether it was sent in a batch: an HTTP error may answer all calls of it. */
  readonly batched?: true
  /** Whether the gateway refused the batch of this call as a whole. */
  readonly refusedBatch: boolean
}

/** A call that was not made, or cannot be judged. */
export interface Skipped {
  readonly expected: 'allow' | 'deny' | 'approve'
  readonly why: string
  /** The upstream's requests that are this call. */
  readonly arrived: readonly Arrived[]
}

/** Whether a call has brought its caller what it asked for. */
export function succeeded(answer: Answer): boolean {
  if (answer.kind !== 'response' || !isObject(answer.message.result)) return false
  const { isError, resultType } = answer.message.result
  return isError !== true && resultType !== 'input_required'
}

/**
 * Gives the requests that reached the upstream to the calls that they are.
 *
 * A request belongs to the call of its trace, else to one of the same tool and arguments. One that differs is the
 * call that was under way alone.
 */
export class Attribution {
  readonly #records: CallRecord[] = []
  readonly #open: Arrived[] = []

  /** @param arrived the requests that came while these calls were under way */
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

  /** Takes the requests that came when no call was under way. @returns those that are no call of the rehearsal */
  finish(arrived: readonly Arrived[]): Arrived[] {
    return [...this.#open, ...arrived.filter(request => !this.#late(request))]
  }

  /** Gives a request to the latest of the earlier calls that it can be. A denied one is the likeliest. */
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

/** Calls that look alike have one request each. */
function leastServed(records: readonly CallRecord[]): CallRecord | undefined {
  const allowed = records.filter(({ expected }) => expected.outcome === 'allow')
  return (
    allowed.find(({ arrived }) => arrived.length === 0) ??
    records.find(({ arrived }) => arrived.length === 0) ??
    records[0]
  )
}
