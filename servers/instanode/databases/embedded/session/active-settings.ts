import type { ClientSession } from './client-session.js'
import type { EngineLifecycle } from './engine-lifecycle.js'

/**
 * Applies the settings of the client that has the session lock, and removes those of the last one. The caller
 * must have the lock.
 */
export class ActiveSettings {
  readonly #lifecycle: EngineLifecycle
  readonly #freshSql: () => string
  /** Undefined: the session has the settings of a new one. */
  #current: ClientSession | undefined
  /** The last client has left, and its temporary objects are still there. */
  #discarding = false

  /** @param freshSql returns SQL for a session that has no state of the clients */
  constructor(lifecycle: EngineLifecycle, freshSql: () => string) {
    this.#lifecycle = lifecycle
    this.#freshSql = freshSql
  }

  /** Records that the session is a new one. */
  forgetCurrent(): void {
    this.#current = undefined
  }

  /** Removes the shared objects of all clients before the next client enters. */
  discardSoon(): void {
    this.#discarding = true
  }

  /** Applies a client's settings. @returns false if they are invalid. The connection is closed then. */
  async apply(client: ClientSession): Promise<boolean> {
    if (this.#current === client) return true
    await this.discard()
    client.statements.lostUnnamed()
    const { restoreSql, startupUnchecked } = client.settings
    await this.#save()
    // Connections of one pool have the same settings. They need no change.
    const unchanged =
      !startupUnchecked &&
      this.#current?.disconnected === false &&
      this.#current.settings.restoreSql === restoreSql
    if (!unchanged) await this.reset()
    this.#current = client
    if (unchanged || restoreSql === undefined) return true
    const { error, reported } = await this.#lifecycle.ask(restoreSql)
    for (const [name, value] of reported) client.reportParameter(name, value)
    if (error !== undefined && client.settings.startupUnchecked) {
      client.fatal(error)
      return false
    }
    client.settings.startupAccepted()
    if (startupUnchecked) await this.readTimeout(client)
    return true
  }

  /**
   * Saves the current client's settings and resets the session. @param only does nothing if another client is
   * current
   */
  async reset(only = this.#current): Promise<void> {
    if (only !== this.#current) return
    await this.#save()
    const client = this.#current
    if (client === undefined) return
    if (!client.settings.areDefaults || client.disconnected) await this.#lifecycle.resetSession()
    this.#current = undefined
  }

  /** Reads `statement_timeout` from the engine. The session enforces it, because the engine has no timers. */
  async readTimeout(client: ClientSession): Promise<void> {
    const { rows } = await this.#lifecycle.ask(
      `SELECT setting FROM pg_settings WHERE name = 'statement_timeout'`,
    )
    client.statements.lostUnnamed()
    const value = Number(rows[0]?.[0])
    if (Number.isFinite(value)) client.statementTimeoutMs = value
  }

  /** Removes temporary tables, SQL-level PREPARE and session advisory locks, which all clients shared. */
  async discard(): Promise<void> {
    if (!this.#discarding) return
    this.#discarding = false
    await this.#lifecycle.ask('DISCARD ALL')
    await this.#lifecycle.resetSession()
    await this.#lifecycle.ask(this.#freshSql())
  }

  /** Saves the current client's settings if they may have changed. */
  async #save(): Promise<void> {
    const current = this.#current
    if (current === undefined || current.disconnected || !current.settings.changed) return
    current.settings.save((await this.#lifecycle.ask(current.settings.listSql)).rows)
  }
}
