import type { World } from './world.js'

/** A copy of the state of one server. It does not change, and can be restored several times. */
export interface Kept {
  /** The state as plain data. State on a disk or in another server is represented by its name. */
  readonly data: unknown
  /**
   * Does the part of a restore that can fail. After a failure, the server is unchanged.
   *
   * @throws Refusal, or the error of a database
   */
  prepare(): Promise<void>
  /**
   * Replaces the state of the server with this state. Waiting requests are refused, and event streams end.
   */
  place(): Promise<void>
  /** Frees everything that the copy uses outside of the memory of this process, for example databases. */
  discard(): Promise<void>
}

/** A server whose whole state can be copied and restored. */
export interface StatefulPart {
  /**
   * Runs `work` with the exclusive lock of the server. New operations wait. Waiting requests continue to
   * wait.
   */
  alone<T>(work: () => Promise<T>): Promise<T>
  /** Returns a copy of the state. Call it inside {@link alone}. */
  keep(): Promise<Kept>
  /**
   * Creates the state that the server has in a world. The server itself does not change.
   *
   * @param now the instant at which the instance starts, in milliseconds since the epoch
   * @throws Refusal `bad_world` for an impossible state
   */
  begin(world: World, now: number): Promise<Kept>
}
