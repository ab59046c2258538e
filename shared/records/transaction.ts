import pg from 'pg'
import { type Statement, statement } from './statement.js'

const BEGIN = 'BEGIN'
const COMMIT = 'COMMIT'
const ROLLBACK = 'ROLLBACK'

export const NOTIFY = statement('SELECT pg_notify($1, $2)')

/**
 * Statements that take effect together or not at all. What does not depend on an answer is sent without
 * waiting for one, so a transaction takes as many round trips as it has questions, and one to end it.
 *
 * Work inside asks nothing of the store but through this: it would wait for a connection while it keeps one.
 */
export class Transaction {
  readonly #client: pg.ClientBase
  readonly #noticeOf: (topic: string, payload: string) => string[]
  readonly #sent: Promise<unknown>[] = []
  #gathering = false
  #failure: Error | undefined

  /** @param noticeOf the parameters of {@link NOTIFY} */
  constructor(client: pg.ClientBase, noticeOf: (topic: string, payload: string) => string[]) {
    this.#client = client
    this.#noticeOf = noticeOf
    this.#gather()
    this.#keep(client.query(BEGIN))
  }

  /** What a statement has failed with that was asked for its rows: nothing else can be done then, whoever has caught it. */
  get failure(): Error | undefined {
    return this.#failure
  }

  /** The rows that a statement returns. */
  async query<Row extends pg.QueryResultRow>(
    asked: Statement,
    values: readonly unknown[] = [],
  ): Promise<Row[]> {
    this.#gather()
    try {
      const { rows } = await this.#client.query<Row>({ ...asked, values: [...values] })
      return rows
    } catch (error) {
      // Behind one that has failed, all that the server says is that it has.
      this.#failure ??= asError(error)
      throw this.#failure
    }
  }

  /** Sends a statement whose rows nobody needs; if it fails, the transaction does. */
  send(asked: Statement, values: readonly unknown[] = []): void {
    this.#gather()
    this.#keep(this.#client.query({ ...asked, values: [...values] }))
  }

  /** Tells the other replicas, once this is committed; see {@link Notices}. */
  notify(topic: string, payload: string): void {
    this.send(NOTIFY, this.#noticeOf(topic, payload))
  }

  /** @throws what a statement that was sent ahead failed with: nothing is kept then */
  async commit(): Promise<void> {
    this.#gather()
    // Behind a statement that failed, COMMIT is answered as if it had been asked to roll back.
    this.#keep(this.#client.query(COMMIT))
    await Promise.all(this.#sent)
  }

  /** Takes all of it back. @returns the error that makes the connection useless, if there is one */
  async rollback(): Promise<Error | undefined> {
    try {
      await this.#client.query(ROLLBACK)
      return undefined
    } catch (error) {
      return asError(error)
    }
  }

  /** What is sent in one go leaves in one packet: each is a call of the system, here and there. */
  #gather(): void {
    // A pool gives out its clients as something less.
    if (this.#gathering || !(this.#client instanceof pg.Client)) return
    this.#gathering = true
    const { stream } = this.#client.connection
    stream.cork()
    process.nextTick(() => {
      this.#gathering = false
      stream.uncork()
    })
  }

  #keep(answer: Promise<unknown>): void {
    // It is told by commit; until then nobody listens.
    answer.catch(error => {
      this.#failure ??= asError(error)
    })
    this.#sent.push(answer)
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
