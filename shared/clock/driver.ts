import type { ClockSnapshot } from './spec.js'

/** Where a clock is to go. */
export interface Target extends ClockSnapshot {
  /** Whether what falls due on the way is run; if not, it is shown there at once. */
  readonly walk: boolean
}

/**
 * Says where a clock is to go from where it is.
 *
 * @param present of a real clock it may be between two milliseconds
 * @throws Refusal if it cannot; it stays where it is then
 */
export type Movement = (present: ClockSnapshot) => Target

/** What a clock shows from then on: an instant, or one that goes by the machine's. */
export type Standing =
  | { readonly mode: 'manual'; readonly now: number }
  | { readonly mode: 'real' /** What it is ahead of the machine, in milliseconds. */; readonly ahead: number }

/** What a clock lets its driver do with it. */
export interface ClockHands {
  /** Runs `move` when no other movement of time is under way. @throws Refusal `clock_closed` */
  inTurn<T>(move: () => T | Promise<T>): Promise<T>
  /** Goes there, and stands there or goes on from there. Only for who is in turn. */
  go(to: Standing, walk: boolean): Promise<void>
}

/** Whoever decides where a clock goes that is shared with others: all that is asked of the clock is asked of him. */
export interface ClockDriver {
  /** See {@link Clock.advance}, {@link Clock.set} and {@link Clock.restore}. */
  move(movement: Movement): Promise<number>
  /** See {@link Clock.betweenSteps}. */
  betweenSteps<T>(work: (show: (snapshot: ClockSnapshot) => Promise<void>) => Promise<T>): Promise<T>
  /** See {@link Clock.beginning}. */
  beginning(): ClockSnapshot
}
