import type { ClientSession } from './client-session.js'
import type { EngineLifecycle } from './engine-lifecycle.js'

/**
 * Switches the settings of the session from one client to the next. The caller must have the session lock.
 */
export class ActiveSettings {
  readonly #lifecycle: EngineLifecycle
  readonly #freshSql: () => string
  /** The client whose settings the session has. Undefined: the session has the settings of a new session. */
  #current: ClientSession | undefined
  /** True after the last client has disconnected, until the objects that all clients shared are removed. */
  #discarding = false

  /** @param freshSql records that the session is new, and returns SQL to run in it */
  constructor(lifecycle: EngineLifecycle, freshSql: () => string) {
    this.#lifecycle = lifecycle
    this.#freshSql = freshSql
  }

  /** Records that the session has the settings of a new session. */
  forgetCurrent(): void {
    this.#current = undefined
  }

  /** Makes the next {@link apply} or {@link discard} remove the objects that all clients shared. */
  discardSoon(): void {
    this.#discarding = true
  }

  /**
   * Applies the settings of a client.
   *
   * @returns false if a setting of its start-up message is invalid. The connection is closed then.
   */
  async apply(client: ClientSession): Promise<boolean> {
    if (this.#current === client) return true
    await this.discard()
    client.statements.lostUnnamed()
    const { restoreSql, startupUnchecked } = client.settings
    await this.#save()
    // The connections of one pool have the same settings, so nothing has to change between them.
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
   * Saves the settings of the current client, and resets the session to the settings of a new session.
   *
   * @param only resets the session only if it has the settings of this client
   */
  async reset(only = this.#current): Promise<void> {
    if (only !== this.#current) return
    await this.#save()
    const client = this.#current
    if (client === undefined) return
    if (!client.settings.areDefaults || client.disconnected) await this.#lifecycle.resetSession()
    this.#current = undefined
  }

  /**
   * Reads the client's `statement_timeout` from the engine. The session enforces it, because the engine has
   * no timers.
   */
  async readTimeout(client: ClientSession): Promise<void> {
    const { rows } = await this.#lifecycle.ask(
      `SELECT setting FROM pg_settings WHERE name = 'statement_timeout'`,
    )
    client.statements.lostUnnamed()
    const value = Number(rows[0]?.[0])
    if (Number.isFinite(value)) client.statementTimeoutMs = value
  }

  /**
   * Removes the objects that all clients shared, if {@link discardSoon} was called: temporary tables,
   * statements of SQL's PREPARE, and advisory locks of the session.
   */
  async discard(): Promise<void> {
    if (!this.#discarding) return
    this.#discarding = false
    await this.#lifecycle.ask('DISCARD ALL')
    await this.#lifecycle.resetSession()
    await this.#lifecycle.ask(this.#freshSql())
  }

  /** Saves the settings of the current client if they may have changed. */
  async #save(): Promise<void> {
    const current = this.#current
    if (current === undefined || current.disconnected || !current.settings.changed) return
    current.settings.save((await this.#lifecycle.ask(current.settings.listSql)).rows)
  }
}
