import type { ClockSnapshot } from './spec.js'

/** The mode and time that a change leads to. */
export interface ClockTarget extends ClockSnapshot {
  /** True: the clock runs the wake-ups that fall due up to the target. False: it jumps to the target. */
  readonly walk: boolean
}

/**
 * Computes the target of a change from the current mode and time.
 *
 * @param present the current mode and time. The time of a real clock can have a fraction of a millisecond
 * @throws Refusal if the change is not allowed. The clock then keeps its mode and time
 */
export type ClockUpdate = (present: ClockSnapshot) => ClockTarget

/** The state of a clock after a change: a fixed instant, or an offset from the machine's time. */
export type ClockPosition =
  | { readonly mode: 'manual'; readonly now: number }
  | { readonly mode: 'real' /** Milliseconds ahead of the machine's time. */; readonly ahead: number }

/** The functions of a clock that its driver calls. */
export interface ClockControls {
  /** Runs `move` when no other change is in progress. @throws Refusal `clock_closed` */
  inTurn<T>(move: () => T | Promise<T>): Promise<T>
  /**
   * Moves the clock to a position. A real clock then continues from there. Call it only inside
   * {@link inTurn}.
   */
  go(to: ClockPosition, walk: boolean): Promise<void>
}

/** Strategy for a clock that replicas share. `Clock` delegates every change to it. */
export interface ClockDriver {
  /** See {@link Clock.advance}, {@link Clock.set} and {@link Clock.restore}. */
  move(update: ClockUpdate): Promise<number>
  /** See {@link Clock.betweenSteps}. */
  betweenSteps<T>(work: (show: (snapshot: ClockSnapshot) => Promise<void>) => Promise<T>): Promise<T>
  /** See {@link Clock.beginning}. */
  beginning(): ClockSnapshot
}
