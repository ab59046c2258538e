import { createHash } from 'node:crypto'
import type pg from 'pg'

/**
 * Statements that take effect together or not at all. `send` does not wait for an answer, so a transaction
 * takes one round trip for each `query`, and one for its end.
 *
 * Work in a transaction must use only the transaction's own connection. If it waited for a second connection
 * of a full pool, it could wait forever.
 */
export class SqlTransaction {
  readonly #client: pg.ClientBase
  readonly #noticeOf: (topic: string, payload: string) => string
  readonly #sent: Promise<unknown>[] = []
  /** Whether the transaction wrote nothing, so that `commit` does not have to wait for the server. */
  readOnly = false
  /** The first error. The server rejects every later statement, with errors that say less. */
  #failure: unknown

  /** Begins a transaction. @param noticeOf returns the text of a notice */
  constructor(client: pg.ClientBase, noticeOf: (topic: string, payload: string) => string) {
    this.#client = client
    this.#noticeOf = noticeOf
    void this.send('BEGIN')
  }

  /**
   * Runs a statement and returns its rows. A statement with values is prepared, so each connection parses it
   * once.
   *
   * @param text may contain the parameters `$1`, `$2` … Unqualified tables are those of the store's schema
   * @param answerMs time limit of the answer, in milliseconds. Default: the limit of the connection
   */
  async query<Row extends pg.QueryResultRow>(
    text: string,
    values: readonly unknown[] = [],
    answerMs?: number,
  ): Promise<Row[]> {
    const limit = answerMs === undefined ? {} : { query_timeout: answerMs }
    const prepared = values.length === 0 ? {} : { name: nameOf(text), values: [...values] }
    try {
      return (await this.#client.query<Row>({ text, ...prepared, ...limit })).rows
    } catch (error) {
      this.#failure ??= error
      throw this.#failure
    }
  }

  /**
   * Sends a statement without waiting for its answer. If the statement fails, `commit` fails.
   *
   * @returns the rows. Await them after the commit
   */
  send<Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    const answer = this.query<Row>(text, values)
    // `commit` throws the error. This handler prevents an unhandled rejection until then.
    answer.catch(() => undefined)
    this.#sent.push(answer)
    return answer
  }

  /** Sends a notice to all replicas when the transaction is committed. See `Notices`. */
  notify(topic: string, payload: string): void {
    void this.send('SELECT tell($1)', [this.#noticeOf(topic, payload)])
  }

  /** Commits the transaction, unless a sent statement has failed. @throws the error of that statement */
  async commit(): Promise<void> {
    // After a failed statement, the server answers COMMIT as if it were ROLLBACK.
    void this.send('COMMIT')
    if (!this.readOnly) await Promise.all(this.#sent)
  }

  /** Rolls back the transaction. @returns whether the connection is still usable */
  rollback(): Promise<boolean> {
    return this.#client.query('ROLLBACK').then(
      () => true,
      () => false,
    )
  }
}

/** Names of prepared statements by text. There are as many as this project has statements. */
const names = new Map<string, string>()

/** Returns the name of a prepared statement: a hash, because PostgreSQL cuts names at 63 bytes. */
function nameOf(text: string): string {
  const name = names.get(text) ?? createHash('sha256').update(text).digest('base64url')
  names.set(text, name)
  return name
}
