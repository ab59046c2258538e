import type pg from 'pg'
import { type Statement, statement } from './statement.js'

const BEGIN = 'BEGIN'
const COMMIT = 'COMMIT'
const ROLLBACK = 'ROLLBACK'

export const NOTIFY = statement('SELECT pg_notify($1, $2)')

/**
 * Statements that take effect together or not at all. `send` does not wait for an answer, so a transaction
 * takes one round trip for each `query`, and one for its end.
 *
 * Work in a transaction must use only the transaction's own connection. If it waited for a second connection
 * of a full pool, it could wait forever.
 */
export class SqlTransaction {
  readonly #client: pg.ClientBase
  readonly #noticeOf: (topic: string, payload: string) => string[]
  readonly #sent: Promise<unknown>[] = []
  /** Whether the transaction wrote nothing, so that `commit` does not have to wait for the server. */
  readOnly = false
  #failure: Error | undefined

  /** Begins a transaction. @param noticeOf returns the parameters of {@link NOTIFY} */
  constructor(client: pg.ClientBase, noticeOf: (topic: string, payload: string) => string[]) {
    this.#client = client
    this.#noticeOf = noticeOf
    this.#keep(client.query(BEGIN))
  }

  /** Runs a statement and returns its rows. */
  async query<Row extends pg.QueryResultRow>(
    asked: Statement,
    values: readonly unknown[] = [],
  ): Promise<Row[]> {
    try {
      const { rows } = await this.#client.query<Row>({ ...asked, values: [...values] })
      return rows
    } catch (error) {
      // After a failed statement, the server rejects every later statement. The first error is the useful
      // one.
      this.#failure ??= asError(error)
      throw this.#failure
    }
  }

  /**
   * Sends a statement without waiting for its answer. If the statement fails, `commit` fails.
   *
   * @returns the rows. Await them after the commit
   */
  send<Row extends pg.QueryResultRow>(asked: Statement, values: readonly unknown[] = []): Promise<Row[]> {
    const answer = this.query<Row>(asked, values)
    this.#keep(answer)
    return answer
  }

  /** Sends a notice to all replicas when the transaction is committed. See `Notices`. */
  notify(topic: string, payload: string): void {
    void this.send(NOTIFY, this.#noticeOf(topic, payload))
  }

  /** Commits the transaction, unless a sent statement has failed. @throws the error of that statement */
  async commit(): Promise<void> {
    // After a failed statement, the server answers COMMIT as if it were ROLLBACK.
    this.#keep(this.#client.query(COMMIT))
    if (!this.readOnly) await Promise.all(this.#sent)
  }

  /** Rolls back the transaction. @returns the error that makes the connection unusable, or undefined */
  async rollback(): Promise<Error | undefined> {
    try {
      await this.#client.query(ROLLBACK)
      return undefined
    } catch (error) {
      return asError(error)
    }
  }

  #keep(answer: Promise<unknown>): void {
    // `commit` throws the error. This handler prevents an unhandled rejection until then.
    answer.catch(error => {
      this.#failure ??= asError(error)
    })
    this.#sent.push(answer)
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
