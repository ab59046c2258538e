import type { PgError } from '../wire/answers.js'
import type { Settings } from './settings.js'
import type { Statements } from './statements.js'

/** A client as the session sees it. */
export interface ClientSession {
  readonly pid: number
  readonly statements: Statements
  readonly settings: Settings
  /** In milliseconds, 0 for none. */
  statementTimeoutMs: number
  /** The socket is closed. */
  readonly disconnected: boolean
  /** @param sent called when the bytes have been sent */
  send(bytes: Buffer, sent?: () => void): void
  /** Receives the value of a parameter. The client is told if the value is new to it. */
  reportParameter(name: string, value: string): void
  /**
   * A statement of this client waits for input. `feed` accepts whole messages once, and returns whether they
   * were accepted.
   */
  onCopyIn(feed: (bytes: Buffer) => boolean): void
  /** Answers the current batch with an error. The connection stays open. */
  refuse(pgError: PgError): void
  /** Ignores the client's messages until its Sync, after an error without ReadyForQuery. */
  skipToSync(): void
  /** Sends a last error and closes the connection. */
  fatal(pgError: PgError): void
}
