import { z } from 'zod'
import type { StoreDatabase } from '../../../shared/records/store-database.js'

/** By which name those who share a store know what was laid there last. */
const SETTING = 'safebot world'

const laidWorld = z.object({ laid: z.string(), keys: z.record(z.string(), z.string()) })

/** The keys of a world's rooms, in base64url, by room. */
export type WorldKeys = Readonly<Record<string, string>>

/** What those who share a store begin with: one of them has laid it, or put another state in its place, and the others find it. */
export class SharedWorld {
  readonly #store: StoreDatabase
  /** Which laying this process knows of. */
  #known = ''
  #layings = 0

  constructor(store: StoreDatabase) {
    this.#store = store
  }

  /**
   * The keys of what was laid; of what `lay` lays, if nothing was.
   *
   * @throws StoreUnavailable, and what `lay` throws: nothing counts as laid then
   */
  async laid(lay: () => Promise<WorldKeys>): Promise<WorldKeys> {
    // What `lay` asks of the store goes over another connection: it is at its beginning, and nobody else wants one yet.
    const setting = await this.#store.setting(SETTING, async () => this.#laying(await lay()))
    const { laid, keys } = laidWorld.parse(setting)
    this.#known = laid
    return keys
  }

  /** What is to be agreed on along with another state. */
  agreement(keys: WorldKeys): Record<string, unknown> {
    const laying = this.#laying(keys)
    this.#known = laying.laid
    return { [SETTING]: laying }
  }

  /** The keys of what somebody else has laid since this process last knew; undefined: nobody has. */
  async changed(): Promise<WorldKeys | undefined> {
    const before = this.#known
    const keys = await this.laid(async () => ({}))
    return this.#known === before ? undefined : keys
  }

  #laying(keys: WorldKeys): z.infer<typeof laidWorld> {
    return { laid: `${this.#store.replica} ${++this.#layings}`, keys }
  }
}
