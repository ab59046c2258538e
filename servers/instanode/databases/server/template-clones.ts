import type { IdSource } from '../../../../shared/ids.js'
import { type Admin, name, text } from './admin.js'

/** An empty database that belongs to no resource yet. */
export interface Clone {
  name: string
  /** Size of the empty database in bytes. */
  size: number
}

export interface TemplateClonesOptions {
  admin: Admin
  ids: IdSource
  /** Number of clones to keep ready. */
  spares: number
  /** See {@link ServerOptions}. */
  shared: boolean
}

/**
 * Name of the template that instances share. Increase the number when the content of the template changes.
 */
const SHARED_TEMPLATE = 'understudy_template_1'

/** SQL comment of a template that contains pgvector. */
const WITH_VECTOR = 'mcp-understudy template with vector'

/**
 * Keeps empty databases ready on the server, as clones of a template. Cloning takes 30 to 70 ms, and renaming
 * a clone takes 3 to 4 ms (measured).
 *
 * The template belongs to this instance, or to all instances of one store. It is created from `template0`,
 * because `template1` may contain objects of the server's users.
 */
export class TemplateClones {
  readonly admin: Admin
  readonly ids: IdSource
  readonly spares: number
  readonly #shared: boolean
  readonly #template: string
  readonly #ready: Clone[] = []
  /**
   * Settles when the last clone is created. Clones are created one after the other, because PostgreSQL copies
   * a template only while no session uses it.
   */
  #lastClone: Promise<unknown> = Promise.resolve()
  #filling = false
  #closed = false

  constructor({ admin, ids, spares, shared }: TemplateClonesOptions) {
    this.admin = admin
    this.ids = ids
    this.spares = spares
    this.#shared = shared
    this.#template = shared ? SHARED_TEMPLATE : `understudy_template_${ids.hex(12)}`
  }

  /**
   * Creates the template, unless another instance has already created it.
   *
   * @returns whether the template contains pgvector
   */
  start(): Promise<boolean> {
    return this.#shared
      ? this.admin.withAdvisoryLock(SHARED_TEMPLATE, () => this.#makeTemplate())
      : this.#makeTemplate()
  }

  async #makeTemplate(): Promise<boolean> {
    const [template] = await this.admin.run(
      `SELECT shobj_description(oid, 'pg_database') AS comment FROM pg_database WHERE datname = $1`,
      [this.#template],
    )
    if (template !== undefined) return template.comment === WITH_VECTOR
    // A template is created under another name and renamed at the end, so a template with the final name is
    // complete. An unfinished one of a killed process is dropped first.
    const unfinished = `${this.#template}_making`
    await this.discard(unfinished)
    await this.admin.run(`CREATE DATABASE ${name(unfinished)} TEMPLATE template0`)
    const vector = await this.#addVector(unfinished)
    if (vector) await this.admin.run(`COMMENT ON DATABASE ${name(unfinished)} IS ${text(WITH_VECTOR)}`)
    await this.admin.run(`ALTER DATABASE ${name(unfinished)} RENAME TO ${name(this.#template)}`)
    return vector
  }

  async #addVector(database: string): Promise<boolean> {
    const available = await this.admin.run(`SELECT 1 FROM pg_available_extensions WHERE name = 'vector'`)
    if (available.length === 0) return false
    return await this.admin.runIn(database, 'CREATE EXTENSION vector').then(
      () => true,
      // The role may lack the right to create the extension. Databases then come without it.
      () => false,
    )
  }

  /** Creates the missing clones in the background. */
  refill(): void {
    if (this.#closed || this.#filling || this.#ready.length >= this.spares) return
    this.#filling = true
    this.#clone().then(
      clone => {
        this.#ready.push(clone)
        this.#filling = false
        this.refill()
      },
      // The error is not lost: the next `take` finds no clone, creates one itself and gets the error.
      () => {
        this.#filling = false
      },
    )
  }

  /** Returns a clone that is ready, or creates one. The caller calls {@link refill} afterwards. */
  async take(): Promise<Clone> {
    return this.#ready.shift() ?? (await this.#clone())
  }

  /** Takes back a clone that {@link take} returned and the caller did not use. */
  giveBack(clone: Clone): void {
    this.#ready.push(clone)
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#lastClone.catch(() => {})
    // `refill` adds the last clone to the list in a later microtask.
    await Promise.resolve()
    for (const clone of this.#ready) await this.discard(clone.name)
    if (!this.#shared) await this.discard(this.#template)
  }

  async discard(database: string): Promise<void> {
    await this.admin.run(`DROP DATABASE IF EXISTS ${name(database)} WITH (FORCE)`)
  }

  #clone(): Promise<Clone> {
    const created = this.#lastClone
      .catch(() => {})
      .then(async () => {
        const clone = `understudy_spare_${this.ids.hex(12)}`
        await this.admin.run(`CREATE DATABASE ${name(clone)} TEMPLATE ${name(this.#template)}`)
        // The first session of a database builds a cache of its catalog, which takes 5 ms (measured). If this
        // fails, the first session of the client builds it.
        await this.admin.runIn(clone, 'SELECT 1').catch(() => {})
        // By default every role may connect. A database of a resource is for its owner alone.
        await this.admin.run(`REVOKE CONNECT, TEMPORARY ON DATABASE ${name(clone)} FROM PUBLIC`)
        const [row] = await this.admin.run('SELECT pg_database_size($1::name)::float8 AS size', [clone])
        return { name: clone, size: Number(row?.size) }
      })
    this.#lastClone = created
    return created
  }
}
