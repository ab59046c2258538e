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
  readonly #listeners = new Map<string, Set<NoticeListener>>()
  readonly #onGap = new Set<() => void>()
  readonly #onChange = new Set<(available: boolean) => void>()
  #client: pg.Client | undefined
  /** The client that is connecting. */
  #coming: pg.Client | undefined
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
    const listeners = this.#listeners.get(topic) ?? new Set()
    this.#listeners.set(topic, listeners)
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  /**
   * Calls `listener` after a reconnect, because notices may have been lost. Returns a function that removes
   * the listener.
   */
  onGap(listener: () => void): () => void {
    this.#onGap.add(listener)
    return () => this.#onGap.delete(listener)
  }

  /**
   * Calls `listener` when the store becomes unreachable or reachable. Returns a function that removes the
   * listener.
   */
  onAvailability(listener: (available: boolean) => void): () => void {
    this.#onChange.add(listener)
    return () => this.#onChange.delete(listener)
  }

  /** Returns the parameters of the NOTIFY statement that sends a notice. */
  noticeOf(topic: string, payload: string): string[] {
    return [channelOf(this.#options.address), `${this.#options.replica} ${topic} ${payload}`]
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#wakeup?.cancel()
    const clients = [this.#client, this.#coming]
    this.#client = undefined
    for (const client of clients) if (client !== undefined) await disconnect(client, this.#options.machine)
  }

  async #connect(): Promise<void> {
    const { address, replica } = this.#options
    const client = new pg.Client({ ...address.config, query_timeout: HEARTBEAT_MS })
    this.#coming = client
    let gone = false
    const onGone = () => {
      if (gone) return
      gone = true
      if (this.#client === client) this.#lost()
    }
    client.on('error', onGone)
    client.on('end', onGone)
    client.on('notification', ({ payload = '' }) => this.#take(payload))
    try {
      await client.connect()
      await client.query(`LISTEN ${channelOf(address)}`)
      // The server may not have noticed that this replica's earlier connection broke. That connection may
      // still hold the lock.
      await client.query(TAKE_OVER, [replica])
      await client.query('SELECT pg_advisory_lock(hashtext(current_schema()), $1)', [replica])
      // The server may have answered and closed the connection in one packet.
      if (gone && !this.#closed) throw new Error('Connection terminated')
    } catch (error) {
      await disconnect(client, this.#options.machine)
      throw error
    } finally {
      this.#coming = undefined
    }
    // `close` has already ended this client.
    if (this.#closed) return
    this.#client = client
    this.#attempts = 0
    this.#become(true)
    this.#beatLater(client)
  }

  #take(payload: string): void {
    const [, replica = '', topic = '', told = ''] = /^(\d+) (\S+) (.*)$/s.exec(payload) ?? []
    for (const listener of this.#listeners.get(topic) ?? []) {
      listener(told, Number(replica) === this.#options.replica)
    }
  }

  #lost(): void {
    const client = this.#client
    this.#client = undefined
    // Does not wait for the end of the connection, because a half-open connection never answers.
    if (client !== undefined) void disconnect(client, this.#options.machine)
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
    if (this.#client === undefined) return
    for (const listener of this.#onGap) listener()
  }

  #become(available: boolean): void {
    if (this.#available === available) return
    this.#available = available
    for (const listener of this.#onChange) listener(available)
  }

  #beatLater(client: pg.Client): void {
    const { machine } = this.#options
    this.#wakeup = machine.wakeAt(machine.now() + HEARTBEAT_MS, () => {
      client.query('SELECT 1').then(
        () => {
          if (this.#client === client) this.#beatLater(client)
        },
        () => {
          if (this.#client === client) this.#lost()
        },
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

function channelOf({ schema }: StoreAddress): string {
  return `understudy_${schema}`
}

const TAKE_OVER = `
  SELECT pg_terminate_backend(pid) FROM pg_locks
  WHERE locktype = 'advisory' AND objsubid = 2 AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND classid = (hashtext(current_schema())::bigint & 4294967295)::oid
    AND objid = $1 AND pid <> pg_backend_pid()`
