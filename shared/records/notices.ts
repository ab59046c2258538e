import { EventEmitter } from 'node:events'
import pg from 'pg'
import type { Clock, Wakeup } from '../clock/clock.js'
import type { StoreAddress } from './store-url.js'

/** Delay between two attempts to reconnect, in milliseconds: the first one and the longest. */
const RETRY_MS = { first: 50, most: 2_000 }

/**
 * Interval of queries that test the connection, in milliseconds. A connection that was cut silently looks
 * like an idle one.
 */
const HEARTBEAT_MS = 5_000

/** Maximum time that a server may take to end a connection, in milliseconds. */
const LEAVE_MS = 1_000

/** Receives the payload of a notice. `own` is true if this replica sent the notice. */
export type NoticeListener = (payload: string, own: boolean) => void

interface NoticeEvents {
  notice: [topic: string, payload: string, own: boolean]
  gap: []
  availability: [available: boolean]
}

export interface NoticesOptions {
  address: StoreAddress
  machine: Clock
  /** The number of this replica. */
  replica: number
}

/**
 * Delivers notices between replicas with LISTEN and NOTIFY on one connection. If the connection breaks,
 * `Notices` opens a new one.
 *
 * A notice is only a hint, because it can be lost with the connection. `onGap` reports possible losses, and
 * listeners also poll. The connection also holds the replica's advisory lock, which shows the other replicas
 * that this replica is alive.
 */
export class Notices {
  readonly #options: NoticesOptions
  readonly #events = new EventEmitter<NoticeEvents>().setMaxListeners(0)
  /** The client that is connected or connecting. */
  #client: pg.Client | undefined
  #available = false
  #attempts = 0
  #wakeup: Wakeup | undefined
  #closed = false

  private constructor(options: NoticesOptions) {
    this.#options = options
  }

  /** Connects to the store and starts to listen. @throws the error of pg if the store cannot be reached */
  static async open(options: NoticesOptions): Promise<Notices> {
    const notices = new Notices(options)
    await notices.#connect()
    return notices
  }

  /** Whether the latest attempt to connect to the store succeeded. */
  get available(): boolean {
    return this.#available
  }

  /** Calls `listener` for every notice of a topic, until the returned function is called. */
  on(topic: string, listener: NoticeListener): () => void {
    const heard = (about: string, payload: string, own: boolean) => {
      if (about === topic) listener(payload, own)
    }
    this.#events.on('notice', heard)
    return () => this.#events.off('notice', heard)
  }

  /**
   * Calls `listener` after a reconnect, because notices may have been lost, until the returned function is
   * called.
   */
  onGap(listener: () => void): () => void {
    this.#events.on('gap', listener)
    return () => this.#events.off('gap', listener)
  }

  /** Calls `listener` when the store becomes unreachable or reachable. */
  onAvailability(listener: (available: boolean) => void): void {
    this.#events.on('availability', listener)
  }

  /** Returns the text of a notice, for `pg_notify` on the channel of the store. */
  noticeOf(topic: string, payload: string): string {
    return `${this.#options.replica} ${topic} ${payload}`
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#wakeup?.cancel()
    if (this.#client !== undefined) await disconnect(this.#client, this.#options.machine)
  }

  async #connect(): Promise<void> {
    const { address, replica, machine } = this.#options
    const client = new pg.Client({ ...address.config, query_timeout: HEARTBEAT_MS })
    this.#client = client
    const gone = new Promise<void>(resolve => {
      client.on('error', () => resolve())
      client.on('end', () => resolve())
    })
    client.on('notification', ({ payload = '' }) => this.#take(payload))
    try {
      await client.connect()
      await client.query(`LISTEN understudy_${address.schema}`)
      // The server may not have noticed that this replica's earlier connection broke. That connection may
      // still hold the lock.
      await client.query(TAKE_OVER, [replica])
      await client.query('SELECT pg_advisory_lock(hashtext(current_schema()), $1)', [replica])
    } catch (error) {
      await disconnect(client, machine)
      throw error
    }
    // `close` has already ended this client.
    if (this.#closed) return
    this.#attempts = 0
    this.#become(true)
    this.#beatLater(client)
    void gone.then(() => this.#lost(client))
  }

  #take(payload: string): void {
    const [, replica = '', topic = '', told = ''] = /^(\d+) (\S+) (.*)$/s.exec(payload) ?? []
    this.#events.emit('notice', topic, told, Number(replica) === this.#options.replica)
  }

  #lost(client: pg.Client): void {
    if (this.#client !== client) return
    this.#client = undefined
    // Does not wait for the end of the connection, because a half-open connection never answers.
    void disconnect(client, this.#options.machine)
    this.#wakeup?.cancel()
    if (!this.#closed) void this.#comeBack()
  }

  async #comeBack(): Promise<void> {
    try {
      await this.#connect()
    } catch {
      if (this.#closed) return
      this.#become(false)
      const wait = Math.min(RETRY_MS.first * 2 ** this.#attempts++, RETRY_MS.most)
      const { machine } = this.#options
      this.#wakeup = machine.wakeAt(machine.now() + wait, () => void this.#comeBack())
      return
    }
    if (!this.#closed) this.#events.emit('gap')
  }

  #become(available: boolean): void {
    if (this.#available === available) return
    this.#available = available
    this.#events.emit('availability', available)
  }

  #beatLater(client: pg.Client): void {
    const { machine } = this.#options
    this.#wakeup = machine.wakeAt(machine.now() + HEARTBEAT_MS, () => {
      client.query('SELECT 1').then(
        () => {
          if (this.#client === client) this.#beatLater(client)
        },
        () => this.#lost(client),
      )
    })
  }
}

/** Ends a connection. Destroys the socket if the server has not ended the connection in time. */
async function disconnect(client: pg.Client, machine: Clock): Promise<void> {
  const wakeup = machine.wakeAt(machine.now() + LEAVE_MS, () => void client.connection.stream.destroy())
  await client.end().catch(() => undefined)
  wakeup.cancel()
}

const TAKE_OVER = `
  SELECT pg_terminate_backend(pid) FROM pg_locks
  WHERE locktype = 'advisory' AND objsubid = 2 AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND classid = (hashtext(current_schema())::bigint & 4294967295)::oid
    AND objid = $1 AND pid <> pg_backend_pid()`
