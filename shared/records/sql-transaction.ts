import type pg from 'pg'
import { type Statement, statement } from './statement.js'

const BEGIN = 'BEGIN'
const COMMIT = 'COMMIT'
const ROLLBACK = 'ROLLBACK'

export const NOTIFY = statement('SELECT pg_notify($1, $2)')

/**
 * Statements that take effect together or not at all. A statement whose answer is not needed is sent without waiting,
 * so a transaction takes one round trip for each question, and one to end.
 *
 * Work inside uses no other connection of the pool: it would wait for one while it keeps one.
 */
export class SqlTransaction {
  readonly #client: pg.ClientBase
  readonly #noticeOf: (topic: string, payload: string) => string[]
  readonly #sent: Promise<unknown>[] = []
  /** Whether nothing was written: the end need not be waited for. */
  readOnly = false
  #failure: Error | undefined

  /** @param noticeOf the parameters of {@link NOTIFY} */
  constructor(client: pg.ClientBase, noticeOf: (topic: string, payload: string) => string[]) {
    this.#client = client
    this.#noticeOf = noticeOf
    this.#keep(client.query(BEGIN))
  }

  /** The rows that a statement returns. */
  async query<Row extends pg.QueryResultRow>(
    asked: Statement,
    values: readonly unknown[] = [],
  ): Promise<Row[]> {
    try {
      const { rows } = await this.#client.query<Row>({ ...asked, values: [...values] })
      return rows
    } catch (error) {
      // After a failed statement, the server answers every other with the same failure.
      this.#failure ??= asError(error)
      throw this.#failure
    }
  }

  /**
   * Sends a statement without waiting for it. If it fails, the transaction fails.
   *
   * @returns its rows, to be awaited after the commit
   */
  send<Row extends pg.QueryResultRow>(asked: Statement, values: readonly unknown[] = []): Promise<Row[]> {
    const answer = this.query<Row>(asked, values)
    this.#keep(answer)
    return answer
  }

  /** Notifies the other replicas once this is committed; see `Notices`. */
  notify(topic: string, payload: string): void {
    void this.send(NOTIFY, this.#noticeOf(topic, payload))
  }

  /** @throws the error of a statement that was sent ahead: nothing is kept then */
  async commit(): Promise<void> {
    // After a failed statement, the server answers COMMIT as if it were ROLLBACK.
    this.#keep(this.#client.query(COMMIT))
    if (!this.readOnly) await Promise.all(this.#sent)
  }

  /** @returns the error that makes the connection useless, if there is one */
  async rollback(): Promise<Error | undefined> {
    try {
      await this.#client.query(ROLLBACK)
      return undefined
    } catch (error) {
      return asError(error)
    }
  }

  #keep(answer: Promise<unknown>): void {
    // Thrown by commit. Until then it is no unhandled rejection.
    answer.catch(error => {
      this.#failure ??= asError(error)
    })
    this.#sent.push(answer)
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
