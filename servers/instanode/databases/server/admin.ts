import pg from 'pg'
import { Refusal } from '../../../../shared/errors.js'

/**
 * Largest number of connections in the pool. More would not help, because PostgreSQL creates databases one
 * after the other.
 */
const MAX_CONNECTIONS = 4

/** Milliseconds to wait for a new connection. After that, the server counts as down. */
const CONNECT_MS = 5_000

/**
 * Milliseconds after which the server ends a statement: 5 minutes. Cloning an empty database takes 70 ms and
 * copying a database of 500 MB takes seconds (measured), so a longer statement hangs.
 */
const STATEMENT_MS = 300_000

/**
 * Milliseconds to wait for an answer. The time is longer than {@link STATEMENT_MS}, so it passes only if the
 * server does not answer at all.
 */
const ANSWER_MS = STATEMENT_MS + CONNECT_MS

const TIME_LIMITS = { connectionTimeoutMillis: CONNECT_MS, query_timeout: ANSWER_MS }

/** The administrator's connections to a PostgreSQL server. */
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
      // In a pool, this limit includes the wait until another caller gives a connection back.
      connectionTimeoutMillis: ANSWER_MS,
      application_name: 'mcp-understudy',
      onConnect: limitStatements,
    })
    // The pool replaces an idle connection that breaks. Without a listener, the event would end the process.
    this.#pool.on('error', () => {})
  }

  /**
   * Runs one statement, or several statements without parameters.
   *
   * @returns the rows of a single statement, or an empty list for several statements
   * @throws the server's error, or an Error after {@link ANSWER_MS} without an answer
   */
  async run(sql: string, values?: unknown[]): Promise<Record<string, unknown>[]> {
    const result = await this.#pool.query<Record<string, unknown>>(sql, values)
    // Several statements have a list of results, which no caller needs.
    return Array.isArray(result) ? [] : result.rows
  }

  /** Runs SQL in another database of the server, on a connection of its own. */
  async runIn(database: string, sql: string): Promise<void> {
    await withClient({ connectionString: this.urlFor(database) }, client => client.query(sql))
  }

  /** Runs `work` while no other process runs work under the same lock name. PostgreSQL keeps the lock. */
  async withAdvisoryLock<T>(what: string, work: () => Promise<T>): Promise<T> {
    return await withClient({ connectionString: this.#url.href }, async client => {
      await client.query('SELECT pg_advisory_lock(hashtextextended($1, 0))', [what])
      return await work()
    })
  }

  /** Returns the URL of another database on the server, with the administrator's login or with `login`. */
  urlFor(database: string, login?: { user: string; password: string }): string {
    const url = new URL(this.#url)
    url.pathname = `/${database}`
    if (login !== undefined) {
      url.username = login.user
      url.password = encodeURIComponent(login.password)
    }
    return url.href
  }

  /**
   * Checks that the server answers.
   *
   * @throws Refusal `database_server_down` with the server's address and without the password
   */
  async check(): Promise<void> {
    try {
      // A connection of its own does not wait for the statements of other callers, as the pool would.
      await withClient({ connectionString: this.#url.href }, client => client.query('SELECT 1'))
    } catch (error) {
      throw new Refusal(
        'database_server_down',
        `the PostgreSQL server at ${this.#url.host}${this.#url.pathname} does not answer: ${String(error)}`,
        'check that the server runs and that the URL in --databases is right',
      )
    }
  }

  /**
   * Checks the rights of the administrator's role.
   *
   * @throws Refusal `database_rights` if the role may not create databases and roles
   */
  async checkRights(): Promise<void> {
    const [role] = await this.run(
      'SELECT rolname, rolsuper OR (rolcreatedb AND rolcreaterole) AS may FROM pg_roles WHERE rolname = current_user',
    )
    if (role?.may === true) return
    throw new Refusal(
      'database_rights',
      `the role ${role?.rolname} may not create databases and roles on the PostgreSQL server at ${this.#url.host}`,
      'ask the administrator of the server to run ALTER ROLE … CREATEDB CREATEROLE, ' +
        'or name another role in --databases URL',
    )
  }

  async close(): Promise<void> {
    await this.#pool.end()
  }
}

/** Runs `work` on a connection of its own, which is closed afterwards. */
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

/**
 * Sets `statement_timeout` by a statement, because poolers such as PgBouncer refuse it as a start-up
 * parameter.
 */
async function limitStatements(client: pg.ClientBase): Promise<void> {
  await client.query(`SET statement_timeout = ${STATEMENT_MS}`)
}

function parseAdminUrl(adminUrl: string): URL {
  const url = URL.canParse(adminUrl) ? new URL(adminUrl) : undefined
  if (url === undefined || !['postgres:', 'postgresql:'].includes(url.protocol))
    throw new Refusal(
      'bad_database_url',
      'the URL of the database server is not valid',
      'use the form postgres://user:password@host:port/database',
    )
  return url
}

/** `name` quotes an identifier for SQL, `text` quotes a string. */
export const { escapeIdentifier: name, escapeLiteral: text } = pg
