import type { Complaint } from '../wire/answers.js'
import type { Settings } from './settings.js'
import type { Statements } from './statements.js'

/** A client as the session sees it. */
export interface Guest {
  readonly pid: number
  readonly statements: Statements
  readonly settings: Settings
  /** In milliseconds, 0 for none. */
  statementTimeoutMs: number
  /** Its socket is gone. */
  readonly gone: boolean
  /** @param sent called when the bytes have left */
  send(bytes: Buffer, sent?: () => void): void
  /** A parameter is reported: the client is told if that is news to it. */
  learn(name: string, value: string): void
  /** A statement of its wants input; `feed` takes whole messages, once, and says whether they were taken. */
  hungry(feed: (bytes: Buffer) => boolean): void
  /** Answers the batch at hand with an error; the connection goes on. */
  refuse(complaint: Complaint): void
  /** An error without ReadyForQuery: until its Sync, what the client sends is void. */
  skipToSync(): void
  /** The last word, then the end of the connection. */
  fatal(complaint: Complaint): void
}
