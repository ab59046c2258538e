import type { ClockSnapshot } from '../../shared/clock/spec.js'
import { Refusal } from '../../shared/errors.js'
import type { FaultSnapshot } from '../../shared/faults/table.js'
import type { Instance } from '../../shared/instance.js'
import type { CatalogueSnapshot } from '../../shared/overlays/overlays.js'
import type { Kept, StatefulPart } from '../../shared/world/stateful-part.js'
import type { World } from '../../shared/world/world.js'
import { readWorld } from './read-world.js'

/**
 * The contents of each snapshot. They are not in the snapshot itself, so that callers can neither read nor
 * change them.
 */
const CONTENTS = new WeakMap<Snapshot, Contents>()

/**
 * Resets, copies and restores the state of an instance: its servers, clock, faults and overlays. One
 * operation runs at a time.
 */
export class InstanceState {
  readonly #instance: Instance
  readonly #parts: readonly StatefulPart[]
  readonly #world: World
  /** Resolves when the current operation ends, also if it fails. */
  #working: Promise<unknown> = Promise.resolve()
  #closed = false

  /** @param world the world of the start */
  constructor(instance: Instance, parts: readonly StatefulPart[], world: World) {
    this.#instance = instance
    this.#parts = parts
    this.#world = world
  }

  /**
   * Resets the instance to a world. Faults and overlays are removed, and the journal is cleared. A manual
   * clock shows its start time again, and a real clock loses its advances. Waiting requests are refused.
   * Sessions stay open.
   *
   * @param world the world to reset to. Default: the world of the start
   * @throws Refusal `unknown_world`, `bad_world`, `instance_closed`. The instance has not changed then.
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
   * @throws Refusal `no_snapshot`, `foreign_snapshot`, `instance_closed`. The instance has not changed then.
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
   * Deletes a snapshot, with its copies outside of this process's memory, such as databases.
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
   * Refuses further operations, and resolves when the current one has ended. Call this before the servers are
   * closed.
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
      throw new Refusal('instance_closed', 'the instance has been shut down', 'start another one')
  }

  /** Replaces the states of all servers, or of none. */
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
 * The whole state of an instance at one moment. Only this instance can restore it, and only while it runs.
 */
export class Snapshot {
  /**
   * @param instance the name of the instance
   * @param at when it was made, by the instance's clock: milliseconds since the epoch
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

/** Removes the contents of a snapshot. */
function empty(snapshot: Snapshot): void {
  CONTENTS.delete(snapshot)
}

/**
 * Returns the contents of an instance's snapshot.
 *
 * @throws Refusal `no_snapshot`, `foreign_snapshot`
 */
function contentsOf(snapshot: unknown, instance: string): Contents {
  const contents = snapshot instanceof Snapshot ? CONTENTS.get(snapshot) : undefined
  if (!(snapshot instanceof Snapshot)) {
    throw new Refusal('no_snapshot', `${shownKind(snapshot)} is no snapshot`, 'give what snapshot() returned')
  }
  if (contents === undefined) {
    throw new Refusal('no_snapshot', 'the snapshot has been discarded', 'make another one')
  }
  if (snapshot.instance === instance) return contents
  throw new Refusal(
    'foreign_snapshot',
    `the snapshot is of the instance ${snapshot.instance}, and this is ${instance}`,
    'a snapshot is good for the instance it was made of, and goes with it',
  )
}

/** Returns the contents of a snapshot as plain data, so that tests can compare it. */
export function dataOf(snapshot: Snapshot): unknown {
  const { kept, ...shared } = contentsOf(snapshot, snapshot.instance)
  return { ...shared, servers: kept.map(({ data }) => data) }
}

function shownKind(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
