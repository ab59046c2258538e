import type { PgError } from '../wire/answers.js'
import type { Settings } from './settings.js'
import type { Statements } from './statements.js'

/** The connection of a client, as the session uses it. */
export interface ClientSession {
  readonly pid: number
  readonly statements: Statements
  readonly settings: Settings
  /** The client's `statement_timeout` in milliseconds. 0: none. */
  statementTimeoutMs: number
  /** True once the socket is closed, or once a last error was sent. */
  readonly disconnected: boolean
  /** Sends bytes to the client. @param sent called when the system has accepted the bytes */
  send(bytes: Buffer, sent?: () => void): void
  /** Sends a ParameterStatus message to the client, unless the client already knows this value. */
  reportParameter(name: string, value: string): void
  /**
   * Called when a COPY of this client waits for data.
   *
   * @param feed passes complete messages to the COPY. It may be called once. It returns false if the COPY no
   *   longer waits.
   */
  onCopyIn(feed: (bytes: Buffer) => boolean): void
  /** Answers the current batch with an error that the engine did not send. The connection stays open. */
  refuse(pgError: PgError): void
  /**
   * Ignores the client's messages until its Sync. Called after an error of the engine without ReadyForQuery.
   */
  skipToSync(): void
  /** Sends an error with the severity FATAL and closes the connection. */
  fatal(pgError: PgError): void
}
