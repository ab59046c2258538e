import type { IdSource } from '../../../../shared/ids.js'
import { type Admin, name, text } from './admin.js'

/** An empty database that belongs to nobody yet. */
export interface Clone {
  name: string
  /** In bytes. */
  size: number
}

export interface TemplateClonesOptions {
  admin: Admin
  ids: IdSource
  /** How many to keep ready. */
  wanted: number
  /** See {@link ServerOptions}. */
  shared: boolean
}

/** Another is to be named if something else is to be in it. */
const SHARED_TEMPLATE = 'understudy_template_1'

/** What a template says of itself, in its comment. */
const WITH_VECTOR = 'mcp-understudy template with vector'

/**
 * Keeps empty databases ready on the server: cloning takes 30 to 70 ms, handing one out by renaming it 3 to 4.
 *
 * The template is this instance's own, or shared with instances of the same store. It is made from
 * `template0`, so that nothing of the server's users leaks in.
 */
export class TemplateClones {
  readonly admin: Admin
  readonly ids: IdSource
  readonly wanted: number
  readonly #shared: boolean
  readonly #template: string
  readonly #ready: Clone[] = []
  /** Cloning one at a time: the template may not be in use meanwhile. */
  #making: Promise<unknown> = Promise.resolve()
  #filling = false
  #closed = false

  constructor({ admin, ids, wanted, shared }: TemplateClonesOptions) {
    this.admin = admin
    this.ids = ids
    this.wanted = wanted
    this.#shared = shared
    this.#template = shared ? SHARED_TEMPLATE : `understudy_template_${ids.hex(12)}`
  }

  /** Makes the template, unless another instance has. @returns whether it has pgvector */
  start(): Promise<boolean> {
    return this.#shared ? this.admin.alone(SHARED_TEMPLATE, () => this.#makeTemplate()) : this.#makeTemplate()
  }

  async #makeTemplate(): Promise<boolean> {
    const [there] = await this.admin.run(
      `SELECT shobj_description(oid, 'pg_database') AS comment FROM pg_database WHERE datname = $1`,
      [this.#template],
    )
    if (there !== undefined) return there.comment === WITH_VECTOR
    // By its name it is whole: what is being made has another, and is made anew if its maker was ended.
    const making = `${this.#template}_making`
    await this.discard(making)
    await this.admin.run(`CREATE DATABASE ${name(making)} TEMPLATE template0`)
    const vector = await this.#addVector(making)
    if (vector) await this.admin.run(`COMMENT ON DATABASE ${name(making)} IS ${text(WITH_VECTOR)}`)
    await this.admin.run(`ALTER DATABASE ${name(making)} RENAME TO ${name(this.#template)}`)
    return vector
  }

  async #addVector(database: string): Promise<boolean> {
    const available = await this.admin.run(`SELECT 1 FROM pg_available_extensions WHERE name = 'vector'`)
    if (available.length === 0) return false
    return await this.admin.runIn(database, 'CREATE EXTENSION vector').then(
      () => true,
      // An extension may want a superuser; without it databases still work.
      () => false,
    )
  }

  /** Begins to make what is missing. */
  refill(): void {
    if (this.#closed || this.#filling || this.#ready.length >= this.wanted) return
    this.#filling = true
    this.#clone().then(
      clone => {
        this.#ready.push(clone)
        this.#filling = false
        this.refill()
      },
      // Told to who asks for a database next, and has to make one at once.
      () => {
        this.#filling = false
      },
    )
  }

  /** Hands over one that is ready, else a new one. What is missing then is for its taker to refill. */
  async take(): Promise<Clone> {
    return this.#ready.shift() ?? (await this.#clone())
  }

  /** Takes one back that was handed out and not used. */
  giveBack(clone: Clone): void {
    this.#ready.push(clone)
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#making.catch(() => {})
    // The last clone's own continuation adds it to the list first.
    await Promise.resolve()
    for (const clone of this.#ready) await this.discard(clone.name)
    if (!this.#shared) await this.discard(this.#template)
  }

  async discard(database: string): Promise<void> {
    await this.admin.run(`DROP DATABASE IF EXISTS ${name(database)} WITH (FORCE)`)
  }

  #clone(): Promise<Clone> {
    const made = this.#making
      .catch(() => {})
      .then(async () => {
        const clone = `understudy_spare_${this.ids.hex(12)}`
        await this.admin.run(`CREATE DATABASE ${name(clone)} TEMPLATE ${name(this.#template)}`)
        // The first session of a database works out where its catalogue is and writes that down (5 ms of its start);
        // without that it is slower, no more.
        await this.admin.runIn(clone, 'SELECT 1').catch(() => {})
        // By default everybody may connect; what is handed out is its owner's alone.
        await this.admin.run(`REVOKE CONNECT, TEMPORARY ON DATABASE ${name(clone)} FROM PUBLIC`)
        const [row] = await this.admin.run('SELECT pg_database_size($1::name)::float8 AS size', [clone])
        return { name: clone, size: Number(row?.size) }
      })
    this.#making = made
    return made
  }
}
