import type { EngineRoom } from './engine-room.js'
import type { Guest } from './guest.js'

/**
 * Whose settings are in force in the one session: they are put on with the turn, and taken off. Only for
 * who has the turn.
 */
export class SettingsInForce {
  readonly #room: EngineRoom
  readonly #fresh: () => string
  /** Undefined: a fresh session's. */
  #current: Guest | undefined
  /** The last client has left and its traces are still there. */
  #discarding = false

  /** @param fresh SQL for a session that knows nothing of the clients */
  constructor(room: EngineRoom, fresh: () => string) {
    this.#room = room
    this.#fresh = fresh
  }

  /** The session is a new one. */
  forget(): void {
    this.#current = undefined
  }

  /** What all clients shared is to go before the next one comes in. */
  discardSoon(): void {
    this.#discarding = true
  }

  /** Puts a client's settings in force. @returns false if they are impossible: the client is gone then */
  async enter(guest: Guest): Promise<boolean> {
    if (this.#current === guest) return true
    await this.discard()
    guest.statements.lostUnnamed()
    const { restoring, untried } = guest.settings
    await this.#keep()
    // Connections of one pool are alike: nothing to do.
    const alike = !untried && this.#current?.gone === false && this.#current.settings.restoring === restoring
    if (!alike) await this.exit()
    this.#current = guest
    if (alike || restoring === undefined) return true
    const { error, reported } = await this.#room.ask(restoring)
    for (const [name, value] of reported) guest.learn(name, value)
    if (error !== undefined && guest.settings.untried) {
      guest.fatal(error)
      return false
    }
    guest.settings.tried()
    if (untried) await this.readTimeout(guest)
    return true
  }

  /** Keeps the current client's settings and makes the session a fresh one. @param only if it is that client's */
  async exit(only = this.#current): Promise<void> {
    if (only !== this.#current) return
    await this.#keep()
    const left = this.#current
    if (left === undefined) return
    if (!left.settings.plain || left.gone) await this.#room.resetSession()
    this.#current = undefined
  }

  /** The engine has no timers: `statement_timeout` is read from it and kept by the client's side. */
  async readTimeout(guest: Guest): Promise<void> {
    const { rows } = await this.#room.ask(`SELECT setting FROM pg_settings WHERE name = 'statement_timeout'`)
    guest.statements.lostUnnamed()
    const value = Number(rows[0]?.[0])
    if (Number.isFinite(value)) guest.statementTimeoutMs = value
  }

  /** With the last client go temporary tables, SQL-level PREPARE and session advisory locks, which they all shared. */
  async discard(): Promise<void> {
    if (!this.#discarding) return
    this.#discarding = false
    await this.#room.ask('DISCARD ALL')
    await this.#room.resetSession()
    await this.#room.ask(this.#fresh())
  }

  /** Lists the current client's settings, if they may have changed. */
  async #keep(): Promise<void> {
    const current = this.#current
    if (current === undefined || current.gone || !current.settings.changed) return
    current.settings.keep((await this.#room.ask(current.settings.listing)).rows)
  }
}
