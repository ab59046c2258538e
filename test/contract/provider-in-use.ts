import { afterAll, afterEach, beforeAll } from 'vitest'
import type { DatabaseProvider } from '../../servers/instanode/databases/provider.js'
import { connected, type TestClient } from '../support/databases/databases.js'

/** Starts a provider for one suite and closes it afterwards. Closes the connections of each test after that test. */
export class ProviderInUse {
  readonly #clients: TestClient[] = []
  #provider: DatabaseProvider | undefined

  /** Registers the hooks. Call it inside a `describe`. */
  constructor(start: () => Promise<DatabaseProvider>) {
    beforeAll(async () => {
      this.#provider = await start()
    })
    afterEach(() => this.disconnect())
    afterAll(() => this.#provider?.close())
  }

  /** The running provider. @throws Error before `beforeAll` has run */
  get provider(): DatabaseProvider {
    if (this.#provider === undefined) throw new Error('the suite has not begun')
    return this.#provider
  }

  /** Opens a connection to `url`. It ends with the current test. */
  async connect(url: string): Promise<TestClient> {
    const client = await connected(url)
    this.#clients.push(client)
    return client
  }

  /** Closes all connections that `connect` has opened. */
  async disconnect(): Promise<void> {
    await Promise.all(this.#clients.splice(0).map(client => client.end()))
  }
}
