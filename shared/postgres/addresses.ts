import { statement } from './statement.js'
import type { StoreDatabase } from './store-database.js'

const TOPIC = 'address'

const ADD = statement('INSERT INTO addresses (endpoint, origin) VALUES ($1, $2) ON CONFLICT DO NOTHING')
const ALL = statement('SELECT endpoint, origin FROM addresses')

/** The origins under which the replicas of a store are, or have been, reached: what one of them names by its own is all of theirs. */
export class Addresses {
  readonly #store: StoreDatabase
  readonly #known = new Set<string>()
  readonly #leave: (() => void)[]

  private constructor(store: StoreDatabase) {
    this.#store = store
    this.#leave = [
      store.notices.on(TOPIC, payload => void this.#known.add(payload)),
      // What cannot be read now is when the store is back, of which this is told again.
      store.notices.onGap(() => void this.#read().catch(() => undefined)),
    ]
  }

  /** @throws StoreUnavailable */
  static async join(store: StoreDatabase): Promise<Addresses> {
    const addresses = new Addresses(store)
    await addresses.#read()
    return addresses
  }

  /**
   * Tells all replicas that an endpoint is reached there.
   *
   * @param origin e.g. `http://127.0.0.1:4802`
   * @throws StoreUnavailable
   */
  async add(endpoint: string, origin: string): Promise<void> {
    this.#known.add(keyOf(endpoint, origin))
    await this.#store.transaction(async tx => {
      tx.send(ADD, [endpoint, origin])
      tx.notify(TOPIC, keyOf(endpoint, origin))
    })
  }

  /** Whether it is where a replica is, or has been, reached. */
  has(endpoint: string, origin: string): boolean {
    return this.#known.has(keyOf(endpoint, origin))
  }

  close(): void {
    for (const leave of this.#leave) leave()
  }

  async #read(): Promise<void> {
    const rows = await this.#store.read<{ endpoint: string; origin: string }>(ALL)
    for (const { endpoint, origin } of rows) this.#known.add(keyOf(endpoint, origin))
  }
}

function keyOf(endpoint: string, origin: string): string {
  return `${endpoint} ${origin}`
}
