import { createSecretKey, type KeyObject } from 'node:crypto'
import { errors, jwtVerify, SignJWT } from 'jose'
import type { Clock } from '../../../shared/clock/clock.js'

/** 30 days, as the service gives them. */
export const TOKEN_LIFETIME_SECONDS = 2_592_000

/** Any HMAC with the service's secret proves the account; `none` and public-key algorithms prove nothing. */
const ALGORITHMS = ['HS256', 'HS384', 'HS512']

/** Whom a token speaks for, and how long. */
export interface Proof {
  userId: string
  /** Milliseconds since the epoch; infinite for a token without an end. */
  until: number
}

/** The account tokens of the service: JWTs that nothing but their time can revoke. */
export class Credentials {
  readonly #clock: Clock
  readonly #key: KeyObject

  /** @param secret 32 bytes or more */
  constructor(clock: Clock, secret: Buffer) {
    this.#clock = clock
    this.#key = createSecretKey(secret)
  }

  /** A token for the user, with exactly `user_id`, `exp` and `iat` in it. */
  async mint(userId: string): Promise<string> {
    const iat = Math.floor(this.#clock.now() / 1000)
    return new SignJWT({ user_id: userId, exp: iat + TOKEN_LIFETIME_SECONDS, iat })
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .sign(this.#key)
  }

  /** What the token proves at this instant; undefined if it proves nothing, for whichever reason. */
  async verify(token: string): Promise<Proof | undefined> {
    try {
      const { payload } = await jwtVerify(token, this.#key, {
        algorithms: ALGORITHMS,
        currentDate: new Date(this.#clock.now()),
      })
      if (typeof payload.user_id !== 'string') return undefined
      const until = payload.exp === undefined ? Number.POSITIVE_INFINITY : payload.exp * 1000
      return { userId: payload.user_id, until }
    } catch (error) {
      if (error instanceof errors.JOSEError) return undefined
      throw error
    }
  }
}
