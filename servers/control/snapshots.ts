import { Refusal } from '../../shared/errors.js'

/** Each may hold whole databases. */
const MAX_KEPT = 100

/** A snapshot that is kept, and when it was taken. */
interface Kept<Snapshot> {
  id: string
  /** By the instance's clock, milliseconds since the epoch. */
  at: number
  /** By the machine's. */
  wall: number
  snapshot: Snapshot
}

/** The snapshots that are kept for whoever is not in this process, by id. */
export class Snapshots<Snapshot> {
  readonly #kept = new Map<string, Kept<Snapshot>>()
  /** Counted, and not drawn from the instance's ids: those go back when a snapshot is restored. */
  #count = 0

  /** @throws Refusal `too_many_snapshots` */
  requireRoom(): void {
    if (this.#kept.size < MAX_KEPT) return
    throw new Refusal(
      'too_many_snapshots',
      `${MAX_KEPT} snapshots are kept already`,
      'delete those that are not needed any more: DELETE /snapshots/:id',
    )
  }

  keep(snapshot: Snapshot, at: number, wall: number): Kept<Snapshot> {
    const kept = { id: `snapshot-${++this.#count}`, at, wall, snapshot }
    this.#kept.set(kept.id, kept)
    return kept
  }

  all(): Kept<Snapshot>[] {
    return [...this.#kept.values()]
  }

  /** @throws Refusal `unknown_snapshot` */
  get(id: string): Kept<Snapshot> {
    const kept = this.#kept.get(id)
    if (kept !== undefined) return kept
    const known = [...this.#kept.keys()]
    throw new Refusal(
      'unknown_snapshot',
      `there is no snapshot ${JSON.stringify(id)}`,
      known.length === 0 ? 'take one first: POST /snapshots' : `there are ${known.join(', ')}`,
    )
  }

  /** Keeps it no longer. @throws Refusal `unknown_snapshot` */
  remove(id: string): Snapshot {
    const { snapshot } = this.get(id)
    this.#kept.delete(id)
    return snapshot
  }
}
