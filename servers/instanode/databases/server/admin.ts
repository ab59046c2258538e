import pg from 'pg'
import { Refusal } from '../../../../shared/errors.js'

/** Statements at once; creating databases is serial in the server anyway. */
const POOL = 4

/** How long to wait for the server before it counts as down, in milliseconds. */
const CONNECT_MS = 5_000

/** The administrator's connections to the server. */
export class Admin {
  readonly #pool: pg.Pool
  readonly #url: URL

  /** @throws Refusal `bad_database_url` */
  constructor(adminUrl: string) {
    this.#url = parse(adminUrl)
    this.#pool = new pg.Pool({
      connectionString: adminUrl,
      max: POOL,
      connectionTimeoutMillis: CONNECT_MS,
      application_name: 'mcp-understudy',
    })
    // A connection that breaks while nobody uses it is replaced by the pool.
    this.#pool.on('error', () => {})
  }

  /** Runs one statement, or several without parameters. */
  async run(sql: string, values?: unknown[]): Promise<Record<string, unknown>[]> {
    const result = await this.#pool.query<Record<string, unknown>>(sql, values)
    // Several statements answer with a list; none of ours reads it.
    return Array.isArray(result) ? [] : result.rows
  }

  /** Runs statements in another database of the server's, on a connection of its own. */
  async runIn(database: string, sql: string): Promise<void> {
    const client = new pg.Client({
      connectionString: this.urlFor(database),
      connectionTimeoutMillis: CONNECT_MS,
    })
    await client.connect()
    try {
      await client.query(sql)
    } finally {
      await client.end()
    }
  }

  /** Runs `work` while no instance runs other work under that name. */
  async alone<T>(what: string, work: () => Promise<T>): Promise<T> {
    const client = new pg.Client({
      connectionString: this.#url.href,
      connectionTimeoutMillis: CONNECT_MS,
      application_name: 'mcp-understudy',
    })
    client.on('error', () => {})
    await client.connect()
    try {
      await client.query('SELECT pg_advisory_lock(hashtextextended($1, 0))', [what])
      return await work()
    } finally {
      await client.end()
    }
  }

  /** The server's address for another database, and another user if given. */
  urlFor(database: string, login?: { user: string; password: string }): string {
    const url = new URL(this.#url)
    url.pathname = `/${database}`
    if (login !== undefined) {
      url.username = login.user
      url.password = encodeURIComponent(login.password)
    }
    return url.href
  }

  /** @throws Refusal `database_server_down` naming the server, without the password */
  async check(): Promise<void> {
    try {
      await this.run('SELECT 1')
    } catch (error) {
      throw new Refusal(
        'database_server_down',
        `the PostgreSQL server at ${this.#url.host}${this.#url.pathname} does not answer: ${String(error)}`,
        'check that it runs and that the URL given to --databases is right',
      )
    }
  }

  /** @throws Refusal `database_rights` if its role may not make databases and their owners */
  async checkRights(): Promise<void> {
    const [role] = await this.run(
      'SELECT rolname, rolsuper OR (rolcreatedb AND rolcreaterole) AS may FROM pg_roles WHERE rolname = current_user',
    )
    if (role?.may === true) return
    throw new Refusal(
      'database_rights',
      `the role ${role?.rolname} may not create databases and roles on the PostgreSQL server at ${this.#url.host}`,
      'have its administrator run ALTER ROLE … CREATEDB CREATEROLE, or name one that may with --databases URL',
    )
  }

  async close(): Promise<void> {
    await this.#pool.end()
  }
}

function parse(adminUrl: string): URL {
  const url = URL.canParse(adminUrl) ? new URL(adminUrl) : undefined
  if (url === undefined || !['postgres:', 'postgresql:'].includes(url.protocol))
    throw new Refusal(
      'bad_database_url',
      'the database server’s address cannot be read',
      'write it as postgres://user:password@host:port/database',
    )
  return url
}

/** Names and texts for SQL. */
export const { escapeIdentifier: name, escapeLiteral: text } = pg
