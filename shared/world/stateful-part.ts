import type { World } from './world.js'

/** The state of one server, kept. It stays what it is, however often it is put in place. */
export interface Kept {
  /** As plain data, but for what lives on a disk or in another server, which is named there. */
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
  /** Runs `work` while no operation of the server is under way: those that come meanwhile wait, what is parked stays so. */
  alone<T>(work: () => Promise<T>): Promise<T>
  /** Only for who is {@link alone}. */
  keep(): Promise<Kept>
  /**
   * What the server begins with in a world. It is made aside: nothing of the server changes.
   *
   * @param now the instant at which it begins, milliseconds since the epoch
   * @throws Refusal `bad_world` for what cannot have come about
   */
  begin(world: World, now: number): Promise<Kept>
}
