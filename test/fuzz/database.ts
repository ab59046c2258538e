import { Socket } from 'node:net'
import pg from 'pg'
import { dial, exchange } from './exchange.js'
import type { PostgresRequest } from './postgres-frames.js'
import type { Target } from './target.js'

/** How often a connection is tried that is refused because the last one is still being cleaned up. */
const TRIES = 20

/** An embedded database with a client that stays: whatever others send, it must go on being answered. */
export class FuzzedDatabase {
  #url = ''
  #resident: pg.Client | undefined
  #ended = ''

  constructor(readonly target: Target) {}

  /** Sends the messages. @returns the answer, and what became of the client that stays, if not all is well */
  async send({ afterLogin, bytes, complete }: PostgresRequest): Promise<{ answer: Buffer; found: string[] }> {
    const resident = await this.#residentClient()
    const socket = afterLogin ? await this.#login() : await dial(Number(new URL(this.#url).port))
    const answer = await exchange(socket, bytes, complete)
    try {
      await resident.query('SELECT 1')
      return { answer, found: [] }
    } catch (error) {
      await this.close()
      return { answer, found: [`another client of the database was not answered: ${error} ${this.#ended}`] }
    }
  }

  async close(): Promise<void> {
    const resident = this.#resident
    this.#resident = undefined
    await resident?.end().catch(() => undefined)
  }

  /** Logs in with the driver, and takes its socket away from it. */
  async #login(): Promise<Socket> {
    const socket = new Socket()
    const client = new pg.Client({ connectionString: this.#url, stream: () => socket })
    client.on('error', () => undefined)
    await client.connect()
    socket.removeAllListeners()
    return socket
  }

  async #residentClient(): Promise<pg.Client> {
    for (let tried = 0; ; tried++) {
      const client = this.#resident ?? (await this.#connect())
      try {
        await client.query('SELECT 1')
        this.#resident = client
        return client
      } catch (error) {
        // Its database has expired, or was deleted by a request to the control plane.
        this.#url = ''
        await this.close()
        if (tried === TRIES) throw error
      }
    }
  }

  async #connect(): Promise<pg.Client> {
    if (this.#url === '') this.#url = await this.#provision()
    const client = new pg.Client(this.#url)
    client.on('error', (error: Error) => {
      this.#ended = String(error)
    })
    await client.connect().catch(() => undefined)
    return client
  }

  async #provision(): Promise<string> {
    const { instanode, control } = this.target.urls
    for (let tried = 0; ; tried++) {
      const { status, body } = await this.target.post(`${instanode}/db/new`, { name: 'fuzz' })
      if (typeof body.connection_url === 'string') {
        this.target.unlogged.push(new URL(body.connection_url).password)
        return body.connection_url
      }
      if (tried === TRIES) throw new Error(`no database was made: ${status} ${JSON.stringify(body)}`)
      await this.target.post(`${control}/reset`, {})
    }
  }
}
