import type { ClockSnapshot } from '../../shared/clock/spec.js'
import { Refusal } from '../../shared/errors.js'
import type { FaultSnapshot } from '../../shared/faults/table.js'
import type { CatalogueSnapshot } from '../../shared/overlays/overlays.js'
import type { Kept } from '../../shared/world/stateful-part.js'

/** What a snapshot holds. */
export interface Contents {
  readonly clock: ClockSnapshot
  readonly faults: FaultSnapshot
  readonly catalogue: CatalogueSnapshot
  /** One for each server, in their order. */
  readonly kept: readonly Kept[]
}

/** Kept beside, so that a snapshot shows nothing of what is in it and nobody can change it. */
const CONTENTS = new WeakMap<Snapshot, Contents>()

/** All there was in an instance at one moment. Good for that instance alone, and as long as it runs. */
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

/** Has a snapshot hold nothing any more. */
export function empty(snapshot: Snapshot): void {
  CONTENTS.delete(snapshot)
}

/**
 * What a snapshot of an instance holds.
 *
 * @throws Refusal `no_snapshot`, `foreign_snapshot`
 */
export function contentsOf(snapshot: unknown, instance: string): Contents {
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

/** The servers' state as plain data, for a test to compare. */
export function dataOf(snapshot: Snapshot): unknown {
  const { kept, ...shared } = contentsOf(snapshot, snapshot.instance)
  return { ...shared, servers: kept.map(({ data }) => data) }
}

function shownKind(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
