import type { World } from './world.js'

/** The state of one server, kept. It stays what it is, however often it is put in place. */
export interface Kept {
  /** The state as plain data. A state on a disk or in another server is named there. */
  readonly data: unknown
  /**
   * Does what can fail. Nothing of the server has changed if it does.
   *
   * @throws Refusal, or what a database could not do
   */
  prepare(): Promise<void>
  /** Puts it in place of what the server knows now: what is parked is refused, event streams end. */
  place(): Promise<void>
  /** Lets go of what it takes outside of this process's memory. */
  discard(): Promise<void>
}

/** A server whose state can be taken as a whole, and put back. */
export interface StatefulPart {
  /** Runs `work` with the exclusive lock of the server. New operations wait. Waiting requests continue to wait. */
  alone<T>(work: () => Promise<T>): Promise<T>
  /** Returns the state. The caller must be in {@link alone}. */
  keep(): Promise<Kept>
  /**
   * Returns the state of the server in a world. It is created separately: the server does not change.
   *
   * @param now the start of the instance, in milliseconds since the epoch
   * @throws Refusal `bad_world` for an impossible state
   */
  begin(world: World, now: number): Promise<Kept>
}
