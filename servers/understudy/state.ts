import type { ClockSnapshot } from '../../shared/clock/spec.js'
import { Refusal } from '../../shared/errors.js'
import type { FaultSnapshot } from '../../shared/faults/table.js'
import type { Instance } from '../../shared/instance.js'
import type { CatalogueSnapshot } from '../../shared/overlays/overlays.js'
import type { Kept, StatefulPart } from '../../shared/world/stateful-part.js'
import type { World } from '../../shared/world/world.js'
import { readWorld } from './read-world.js'

/**
 * The contents of each snapshot. They are not properties of `Snapshot`, so that users of the library cannot
 * read or change them.
 */
const CONTENTS = new WeakMap<Snapshot, Contents>()

/**
 * Resets, copies and restores the state of an instance: its servers, clock, faults and overlays. Operations
 * run one after the other.
 */
export class InstanceState {
  readonly #instance: Instance
  readonly #parts: readonly StatefulPart[]
  readonly #world: World
  /** Resolves when the current operation ends. Also resolves if the operation fails. */
  #working: Promise<unknown> = Promise.resolve()
  #closed = false

  /** @param world the world with which the instance started */
  constructor(instance: Instance, parts: readonly StatefulPart[], world: World) {
    this.#instance = instance
    this.#parts = parts
    this.#world = world
  }

  /**
   * Resets the instance to a world. Faults and overlays are removed, and the journal is cleared. A manual
   * clock goes back to its start time. A real clock loses the time by which it was advanced. Waiting requests
   * are refused. Sessions stay open.
   *
   * @param world the world to reset to. Default: the world with which the instance started
   * @throws Refusal `unknown_world`, `bad_world`, `instance_closed`. If one is thrown, the instance has not
   *   changed.
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

  /** Copies the whole state. Waiting requests continue. @throws Refusal `instance_closed`, `database_busy` */
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
   * Restores a snapshot. The journal keeps its entries, because they record real requests. Waiting requests
   * are refused. Sessions stay open.
   *
   * @throws Refusal `no_snapshot`, `foreign_snapshot`, `instance_closed`. If one is thrown, the instance has
   *   not changed.
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
   * Deletes a snapshot, and the copies that are not in the memory of this process, such as copies of
   * databases.
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

  /**
   * Refuses further operations. Resolves when the current operation has ended. Call this before the servers
   * are closed.
   */
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
      throw new Refusal('instance_closed', 'the instance has been shut down', 'start a new instance')
  }

  /** Replaces the states of all servers. If one state cannot be prepared, replaces none. */
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

/** The contents of a snapshot. */
interface Contents {
  readonly clock: ClockSnapshot
  readonly faults: FaultSnapshot
  readonly catalogue: CatalogueSnapshot
  /** The state of each server and of the gateways, in a fixed order. */
  readonly kept: readonly Kept[]
}

/**
 * The whole state of an instance at one moment. Only the same instance can restore the snapshot, and only
 * while the instance runs.
 */
export class Snapshot {
  /**
   * @param instance the name of the instance
   * @param at when the snapshot was made, in milliseconds since the epoch, by the clock of the instance
   */
  constructor(
    readonly instance: string,
    readonly at: number,
    contents: Contents,
  ) {
    CONTENTS.set(this, contents)
    Object.freeze(this)
  }
}

/** Removes the contents of a snapshot, so that it cannot be restored. */
function empty(snapshot: Snapshot): void {
  CONTENTS.delete(snapshot)
}

/**
 * Returns the contents of a snapshot of `instance`.
 *
 * @throws Refusal `no_snapshot`, `foreign_snapshot`
 */
function contentsOf(snapshot: unknown, instance: string): Contents {
  const contents = snapshot instanceof Snapshot ? CONTENTS.get(snapshot) : undefined
  if (!(snapshot instanceof Snapshot)) {
    throw new Refusal(
      'no_snapshot',
      `${shownKind(snapshot)} is no snapshot`,
      'pass the value that snapshot() returned',
    )
  }
  if (contents === undefined) {
    throw new Refusal('no_snapshot', 'the snapshot has been discarded', 'make a new snapshot')
  }
  if (snapshot.instance === instance) return contents
  throw new Refusal(
    'foreign_snapshot',
    `the snapshot was made by the instance ${snapshot.instance}, and this is the instance ${instance}`,
    'only the instance that made a snapshot can restore it, and only while the instance runs',
  )
}

/** Returns the contents of a snapshot as plain data. Tests compare snapshots with it. */
export function dataOf(snapshot: Snapshot): unknown {
  const { kept, ...shared } = contentsOf(snapshot, snapshot.instance)
  return { ...shared, servers: kept.map(({ data }) => data) }
}

function shownKind(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
