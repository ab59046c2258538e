import type { ClockSnapshot } from '../../shared/clock/spec.js'
import { Refusal } from '../../shared/errors.js'
import type { Instance } from '../../shared/instance.js'
import type { Kept, StatefulPart } from '../../shared/world/stateful-part.js'
import type { World } from '../../shared/world/world.js'
import { readWorld } from './read-world.js'
import { contentsOf, empty, Snapshot } from './snapshot.js'

/** The state of an instance as a whole: its servers', its time, the trouble asked for. One thing is done to it at a time. */
export class State {
  readonly #instance: Instance
  readonly #parts: readonly StatefulPart[]
  readonly #world: World
  /** What is being done to it now, however that ends. */
  #working: Promise<unknown> = Promise.resolve()
  #closed = false

  /** @param world the one the instance was started with */
  constructor(instance: Instance, parts: readonly StatefulPart[], world: World) {
    this.#instance = instance
    this.#parts = parts
    this.#world = world
  }

  /**
   * Back to where a world begins: its state, ids from the beginning, no trouble, an empty journal. The clock is as it was
   * started: a manual one shows again what it showed then, a real one has not been advanced. What is parked is refused;
   * sessions stay open.
   *
   * @param world default: the one the instance was started with
   * @throws Refusal `unknown_world`, `bad_world`, `instance_closed`; all is as before then
   */
  async reset({ world }: { world?: string | World } = {}): Promise<void> {
    const wanted = world === undefined ? this.#world : await readWorld(world)
    const { clock, faults, catalogue, journal } = this.#instance
    await this.#work(async show => {
      const time = clock.beginning()
      const kept: Kept[] = []
      for (const part of this.#parts) kept.push(await part.begin(wanted, time.now))
      await this.#replace(kept, () => show(time))
      faults.clear()
      catalogue.clear()
      await journal.clear()
    })
  }

  /** All there is now. What is parked goes on waiting. @throws Refusal `instance_closed`, `database_busy` */
  snapshot(): Promise<Snapshot> {
    const { clock, faults, catalogue, name } = this.#instance
    return this.#work(() =>
      this.#alone(async () => {
        const kept: Kept[] = []
        for (const part of this.#parts) kept.push(await part.keep())
        const shared = { clock: clock.snapshot(), faults: faults.snapshot(), catalogue: catalogue.snapshot() }
        return new Snapshot(name, clock.now(), { ...shared, kept })
      }),
    )
  }

  /**
   * Back to what there was. The journal goes on: it is a record, and what it has recorded has happened. What is parked is
   * refused; sessions stay open.
   *
   * @throws Refusal `no_snapshot`, `foreign_snapshot`, `instance_closed`; all is as before then
   */
  async restore(snapshot: Snapshot): Promise<void> {
    const { faults, catalogue, name } = this.#instance
    const { kept, ...shared } = contentsOf(snapshot, name)
    await this.#work(async show => {
      await this.#replace(kept, () => show(shared.clock))
      faults.restore(shared.faults)
      catalogue.restore(shared.catalogue)
    })
  }

  /**
   * Lets go of what a snapshot takes outside of this process's memory.
   *
   * @throws Refusal `no_snapshot`, `foreign_snapshot`
   */
  async discard(snapshot: Snapshot): Promise<void> {
    const { kept } = contentsOf(snapshot, this.#instance.name)
    empty(snapshot)
    await this.#alone(async () => {
      for (const { discard } of kept) await discard()
    })
  }

  /** Does nothing more; resolves when what is under way is done. To be called before the servers are closed. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#working
  }

  async #work<T>(work: (show: (snapshot: ClockSnapshot) => Promise<void>) => Promise<T>): Promise<T> {
    this.#requireOpen()
    return this.#instance.clock.betweenSteps(show => {
      this.#requireOpen()
      const working = work(show)
      this.#working = working.catch(() => undefined)
      return working
    })
  }

  #requireOpen(): void {
    if (this.#closed)
      throw new Refusal('instance_closed', 'the instance has been shut down', 'start another one')
  }

  /** Has every server be what is kept of it, or none. */
  #replace(kept: readonly Kept[], setTime: () => Promise<void>): Promise<void> {
    return this.#alone(async () => {
      for (const one of kept) await one.prepare()
      await setTime()
      for (const one of kept) await one.place()
    })
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    return this.#parts.reduceRight((inner, part) => () => part.alone(inner), work)()
  }
}
