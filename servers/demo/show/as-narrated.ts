import { isDeepStrictEqual } from 'node:util'
import { Refusal } from '../../../shared/errors.js'

/** Something did not go as the demo tells it. */
export class NotAsNarrated extends Refusal {
  override readonly name = 'NotAsNarrated'

  constructor(message: string, hint?: string) {
    super('not_as_narrated', message, hint)
  }
}

/**
 * Holds what is about to be told to what has happened.
 *
 * @param what is compared, as the subject of a sentence
 * @throws NotAsNarrated
 */
export function same<T>(what: string, actual: unknown, expected: T): asserts actual is T {
  if (isDeepStrictEqual(actual, expected)) return
  throw new NotAsNarrated(`${what} was to be ${JSON.stringify(expected)}, and is ${JSON.stringify(actual)}`)
}

/** The opposite of {@link same}. @throws NotAsNarrated */
export function different(what: string, actual: unknown, other: unknown): void {
  if (!isDeepStrictEqual(actual, other)) return
  throw new NotAsNarrated(`${what} was to be another, and is ${JSON.stringify(actual)} still`)
}

/** What there has to be. @throws NotAsNarrated */
export function present<T>(what: string, value: T | undefined | null): T {
  if (value !== undefined && value !== null) return value
  throw new NotAsNarrated(`${what} was to be there, and is not`)
}
