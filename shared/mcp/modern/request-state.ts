import { createHmac, timingSafeEqual } from 'node:crypto'
import { ErrorCode, McpError } from '@modelcontextprotocol/sdk/types.js'
import type { Clock } from '../../clock/clock.js'
import { argsHash } from '../../journal/entry.js'
import { isObject } from '../../util/objects.js'

/**
 * The time for which a state is valid, in milliseconds of the instance's clock. The client must retry its
 * request in this time.
 */
const STATE_TTL_MS = 10 * 60_000

/** The request that a state belongs to. */
export interface StateOwner {
  /** The journal's name for the caller. */
  caller: string
  method: string
  params: Readonly<Record<string, unknown>> | undefined
}

/**
 * Writes and reads `requestState`: the state of an unfinished request, which the client keeps.
 *
 * A state is signed. The state is valid for ten minutes, and only for the same caller and the same request.
 */
export class RequestStates {
  readonly #key: Buffer
  readonly #clock: Clock

  /** @param key signing key of 32 bytes */
  constructor(key: Buffer, clock: Clock) {
    this.#key = key
    this.#clock = clock
  }

  /** Returns the signed state. @param value a value that JSON can represent */
  seal(value: unknown, owner: StateOwner): string {
    const expires = this.#clock.now() + STATE_TTL_MS
    const payload = Buffer.from(JSON.stringify({ value, expires })).toString('base64url')
    return `${payload}.${this.#sign(payload, owner)}`
  }

  /**
   * Reads a state.
   *
   * @param state the value that the client sent
   * @returns the value that was sealed. Undefined if the client sent no state
   * @throws McpError -32602 for a state that was changed, has expired, or belongs to another request or
   *   caller
   */
  open(state: unknown, owner: StateOwner): unknown {
    if (state === undefined) return undefined
    const [payload, signature, ...more] = typeof state === 'string' ? state.split('.') : []
    if (payload === undefined || signature === undefined || more.length > 0) throw invalid('cannot be read')
    const right = Buffer.from(this.#sign(payload, owner))
    const given = Buffer.from(signature)
    if (right.length !== given.length || !timingSafeEqual(right, given)) {
      throw invalid('was not made by this server for this caller and this request')
    }
    const sealed: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'))
    if (!isObject(sealed) || typeof sealed.expires !== 'number' || sealed.expires <= this.#clock.now()) {
      throw invalid('has expired')
    }
    return sealed.value
  }

  #sign(payload: string, { caller, method, params }: StateOwner): string {
    const { _meta, inputResponses, requestState, ...own } = params ?? {}
    const bound = JSON.stringify([payload, caller, method, argsHash(own)])
    return createHmac('sha256', this.#key).update(bound).digest('base64url')
  }
}

function invalid(why: string): McpError {
  return new McpError(
    ErrorCode.InvalidParams,
    `params.requestState ${why}: send the request again without it`,
  )
}
