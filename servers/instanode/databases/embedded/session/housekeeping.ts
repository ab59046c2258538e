import type { EngineState } from '../engine/channel.js'

/** The log is written out when this much has gathered: it would grow without end, and a checkpoint takes 3 to 30 ms. */
const LOG_BYTES = 4 * 1024 * 1024

/** Data written since the last vacuum that make one worth its while when nothing else is going on. */
const WRITTEN_BYTES = 1024 * 1024

/** Near its quota a database is vacuumed sooner, or dead rows would fill it: from this share of it on … */
const NEAR_QUOTA = 0.8
/** … whenever so much was written: the size of the leftovers of a few statements, or a share that grows with the work. */
const WRITTEN_NEAR_QUOTA = 256 * 1024
const WRITTEN_SHARE = 0.02

/** What has piled up since the last cleaning. An engine without background processes leaves it all to its gateway. */
export class Housekeeping {
  #logged = 0
  #written = 0

  checkpointDue(state: EngineState): boolean {
    return state.logged - this.#logged > LOG_BYTES
  }

  /** May not wait until the session is idle. */
  vacuumUrgent(state: EngineState, most: number): boolean {
    const enough = Math.max(WRITTEN_NEAR_QUOTA, WRITTEN_SHARE * most)
    return state.size > NEAR_QUOTA * most && state.written - this.#written > enough
  }

  vacuumDue(state: EngineState): boolean {
    return state.written - this.#written > WRITTEN_BYTES
  }

  checkpointed(state: EngineState): void {
    this.#logged = state.logged
  }

  vacuumed(state: EngineState): void {
    this.#written = state.written
  }

  /** A new engine counts from nothing. */
  reset(): void {
    this.#logged = 0
    this.#written = 0
  }
}
