import { isDeepStrictEqual } from 'node:util'
import { Refusal } from '../../shared/errors.js'

/** A check of the demo that failed. */
export class DemoFailure extends Refusal {
  override readonly name = 'DemoFailure'

  constructor(message: string) {
    super('demo_failed', message)
  }
}

/** Checks that two values are deeply equal. @param subject what is compared, for the message @throws DemoFailure */
export function assertEqual<T>(subject: string, actual: unknown, expected: T): asserts actual is T {
  if (isDeepStrictEqual(actual, expected)) return
  throw new DemoFailure(`${subject}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`)
}

/** Checks that two values differ. @throws DemoFailure */
export function assertDifferent(subject: string, actual: unknown, other: unknown): void {
  if (!isDeepStrictEqual(actual, other)) return
  throw new DemoFailure(`${subject}: expected another value than ${JSON.stringify(actual)}`)
}

/** Returns a value that must exist. @throws DemoFailure if it is undefined or null */
export function assertPresent<T>(subject: string, value: T | undefined | null): T {
  if (value !== undefined && value !== null) return value
  throw new DemoFailure(`${subject}: expected a value, got none`)
}
