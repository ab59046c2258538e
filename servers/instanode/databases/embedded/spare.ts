import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../../../shared/clock/clock.js'
import { withinLimit } from '../../../../shared/clock/within-limit.js'
import { Engine } from './engine/engine.js'
import { TEMPLATE_FILE } from './engine/template.js'
import { HiddenAnswers } from './session/batch-answers.js'
import { frame } from './wire/frames.js'

/** Name of the database in the template. {@link assignDatabaseName} replaces it. */
const TEMPLATE_DATABASE = 'postgres'

/** An empty database with an open engine. It has no name and no owner yet. */
export interface Spare {
  engine: Engine
  /** Path relative to the data directory. */
  directory: string
}

export interface SparesOptions {
  machine: Clock
  /** The data directory. */
  root: string
  /** Returns a new directory name at each call. */
  directoryName(): string
  /** The `statement_timeout` that new databases show, in milliseconds. */
  statementTimeoutMs: number
  /** Milliseconds in which an empty database must be ready. */
  openingLimitMs: number
}

/**
 * Keeps one empty database ready, so that a caller of `create_postgres` does not wait for an engine to start.
 */
export class Spares {
  readonly #options: SparesOptions
  #ready: Promise<Spare> | undefined
  /** Settles when every attempt so far has succeeded, or has failed and ended its thread. */
  #attempts: Promise<unknown> = Promise.resolve()
  readonly #close = new AbortController()

  constructor(options: SparesOptions) {
    this.#options = options
  }

  /** Prepares an empty database in the background, unless one is ready or in preparation. */
  prepare(): void {
    if (this.#close.signal.aborted || this.#ready !== undefined) return
    const making = this.#make()
    this.#ready = making
    making.catch(() => {
      // The failed attempt is forgotten, so that the next caller
      // starts a new attempt and does not get the old error.
      if (this.#ready === making) this.#ready = undefined
    })
  }

  /**
   * Resolves when an empty database is ready.
   *
   * @throws LimitExceeded, or the error of an engine that does not start
   */
  async ready(): Promise<void> {
    this.prepare()
    await this.#ready
  }

  /**
   * Takes the empty database as soon as it is ready.
   *
   * @param signal ends the wait when it is aborted. The database then stays for the next caller.
   * @throws LimitExceeded, the reason of the signal, or the error of an engine that does not start
   */
  async take(signal: AbortSignal): Promise<Spare> {
    signal.throwIfAborted()
    this.prepare()
    const preparation = this.#ready ?? this.#make()
    this.#ready = undefined
    const spare = await preparation
    if (!signal.aborted) return spare
    if (this.#ready === undefined && !this.#close.signal.aborted) this.#ready = preparation
    else await this.#discard(spare)
    throw signal.reason
  }

  /** Removes the empty database, and ends every attempt to prepare one. */
  async close(): Promise<void> {
    this.#close.abort(new Error('the databases are closed'))
    const spare = await this.#ready?.catch(() => undefined)
    if (spare !== undefined) await this.#discard(spare)
    await this.#attempts
  }

  async #discard({ engine, directory }: Spare): Promise<void> {
    await engine.kill()
    await this.#removeFiles(directory)
  }

  #make(): Promise<Spare> {
    const { machine, openingLimitMs: ms } = this.#options
    const limit = { machine, ms, what: 'preparing an empty database', signal: this.#close.signal }
    return withinLimit(limit, signal => {
      const attempt = this.#open(signal)
      this.#attempts = Promise.allSettled([this.#attempts, attempt])
      return attempt
    })
  }

  async #open(signal: AbortSignal): Promise<Spare> {
    const { root, directoryName, statementTimeoutMs } = this.#options
    const directory = directoryName()
    try {
      const engine = await Engine.open(
        {
          directory: join(root, directory),
          database: TEMPLATE_DATABASE,
          template: TEMPLATE_FILE,
          statementTimeoutMs,
        },
        signal,
      )
      return { engine, directory }
    } catch (error) {
      await this.#removeFiles(directory)
      throw error
    }
  }

  async #removeFiles(directory: string): Promise<void> {
    await rm(join(this.#options.root, directory), { recursive: true, force: true, maxRetries: 3 })
  }
}

/**
 * Gives an empty database its name and its owner. Takes 5 to 20 ms (measured).
 *
 * PostgreSQL refuses to rename a database from its own session, so this function writes to the system
 * catalog. The open session refers to the database by its object id, and the next session by its new name.
 * Outside of this database the owner may only log in, as in the real service. The owner also owns the
 * extension `vector`, because restoring a dump sets the comment of the extension.
 *
 * @param name `db_` and 12 hexadecimal digits. The caller has checked it.
 * @param user `usr_` and 12 hexadecimal digits. The caller has checked it.
 * @throws Error with the message of the engine
 */
export async function assignDatabaseName(engine: Engine, name: string, user: string): Promise<void> {
  const answers = new HiddenAnswers(
    size => engine.outputTaken(size),
    () => {},
  )
  const statement = frame(
    'Q',
    `CREATE ROLE ${user} LOGIN;
     UPDATE pg_database SET datname = '${name}', datdba = '${user}'::regrole WHERE oid = 5;
     UPDATE pg_extension SET extowner = '${user}'::regrole WHERE extname = 'vector'`,
  )
  await engine.run(statement, Number.POSITIVE_INFINITY, answers)
  if (answers.error !== undefined)
    throw new Error(`the new database could not be named ${name}: ${answers.error.message}`)
}
