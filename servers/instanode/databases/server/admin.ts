import pg from 'pg'
import { Refusal } from '../../../../shared/errors.js'

/** Number of statements at once. The server creates databases one after the other anyway. */
const MAX_CONNECTIONS = 4

/** Milliseconds to wait for a connection before the server counts as down. */
const CONNECT_MS = 5_000

/**
 * Milliseconds after which the server ends a statement. Cloning an empty database takes 70 ms, and copying
 * one of 500 MB takes seconds. Only a statement that hangs, or waits for a lock for ever, takes longer.
 */
const STATEMENT_MS = 300_000

/**
 * Milliseconds to wait for an answer. Longer than the server's own limit, for a server that does not answer
 * at all.
 */
const ANSWER_MS = STATEMENT_MS + CONNECT_MS

const TIME_LIMITS = { connectionTimeoutMillis: CONNECT_MS, query_timeout: ANSWER_MS }

/** The administrator's connections to the server. */
export class Admin {
  readonly #pool: pg.Pool
  readonly #url: URL

  /** @throws Refusal `bad_database_url` */
  constructor(adminUrl: string) {
    this.#url = parseAdminUrl(adminUrl)
    this.#pool = new pg.Pool({
      connectionString: adminUrl,
      max: MAX_CONNECTIONS,
      ...TIME_LIMITS,
      // This includes the wait for one of the pool's connections, which other callers may use.
      connectionTimeoutMillis: ANSWER_MS,
      application_name: 'mcp-understudy',
      onConnect: limitStatements,
    })
    // The pool replaces a connection that breaks while it is idle.
    this.#pool.on('error', () => {})
  }

  /**
   * Runs one statement, or several without parameters.
   *
   * @throws the server's error, or an Error after {@link ANSWER_MS} without an answer
   */
  async run(sql: string, values?: unknown[]): Promise<Record<string, unknown>[]> {
    const result = await this.#pool.query<Record<string, unknown>>(sql, values)
    // Several statements answer with a list. No caller reads it.
    return Array.isArray(result) ? [] : result.rows
  }

  /** Runs statements in another database of the server, on a separate connection. */
  async runIn(database: string, sql: string): Promise<void> {
    await withClient({ connectionString: this.urlFor(database) }, client => client.query(sql))
  }

  /** Runs `work` while no other instance runs work under that name. */
  async withAdvisoryLock<T>(what: string, work: () => Promise<T>): Promise<T> {
    return await withClient({ connectionString: this.#url.href }, async client => {
      await client.query('SELECT pg_advisory_lock(hashtextextended($1, 0))', [what])
      return await work()
    })
  }

  /** Returns the server's URL for another database, and for another user if one is given. */
  urlFor(database: string, login?: { user: string; password: string }): string {
    const url = new URL(this.#url)
    url.pathname = `/${database}`
    if (login !== undefined) {
      url.username = login.user
      url.password = encodeURIComponent(login.password)
    }
    return url.href
  }

  /** @throws Refusal `database_server_down` with the server's name and without the password */
  async check(): Promise<void> {
    try {
      // The pool would wait for the statements of other callers.
      await withClient({ connectionString: this.#url.href }, client => client.query('SELECT 1'))
    } catch (error) {
      throw new Refusal(
        'database_server_down',
        `the PostgreSQL server at ${this.#url.host}${this.#url.pathname} does not answer: ${String(error)}`,
        'check that it runs and that the URL given to --databases is right',
      )
    }
  }

  /** @throws Refusal `database_rights` if the role may not create databases and roles */
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

/** Runs `work` on a separate connection. */
async function withClient<T>(config: pg.ClientConfig, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ ...config, ...TIME_LIMITS, application_name: 'mcp-understudy' })
  client.on('error', () => {})
  await client.connect()
  try {
    await limitStatements(client)
    return await work(client)
  } finally {
    await client.end()
  }
}

/** Sets the limit by a statement, because poolers such as PgBouncer refuse it as a start-up parameter. */
async function limitStatements(client: pg.ClientBase): Promise<void> {
  await client.query(`SET statement_timeout = ${STATEMENT_MS}`)
}

function parseAdminUrl(adminUrl: string): URL {
  const url = URL.canParse(adminUrl) ? new URL(adminUrl) : undefined
  if (url === undefined || !['postgres:', 'postgresql:'].includes(url.protocol))
    throw new Refusal(
      'bad_database_url',
      'the database server’s address cannot be read',
      'write it as postgres://user:password@host:port/database',
    )
  return url
}

/** Quote names and texts for SQL. */
export const { escapeIdentifier: name, escapeLiteral: text } = pg
