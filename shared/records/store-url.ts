import type pg from 'pg'
import { Refusal } from '../errors.js'

/** The schema of a store's tables if the URL does not name one. */
const DEFAULT_SCHEMA = 'understudy'

/**
 * Default number of connections in a pool. On two cores, two connections can work and the others wait for
 * locks.
 */
const DEFAULT_POOL = '10'

/**
 * Allowed names of a schema. A schema name is also part of a channel name, and PostgreSQL cuts names at 63
 * bytes.
 */
const SCHEMA = /^[a-z_][a-z0-9_]{0,39}$/

/** Time limit for opening a connection, in milliseconds. */
const CONNECT_MS = 5_000

/** Time limit of a statement, in milliseconds. A statement takes longer only if something is wrong. */
const STATEMENT_MS = 10_000

/** Additional time that the client waits after a statement's limit, in milliseconds. */
const GRACE_MS = 2_000

/** The address of a store: connection settings, schema and pool. */
export interface StoreAddress {
  readonly config: pg.ClientConfig
  readonly schema: string
  /** Maximum number of connections in the pool. The connection that receives notices is not in the pool. */
  readonly pool: number
  /**
   * The URL for creating databases on the same server, without the parameters of the store. It contains the
   * password.
   */
  readonly serverUrl: string
  /** Host and database for messages, without user, password and parameters. */
  readonly shown: string
}

/**
 * Parses the URL of a store:
 * `postgres://USER:PASSWORD@HOST:PORT/DATABASE?schema=NAME&pool=10&sslmode=require`.
 *
 * This project defines `schema` (or `search_path`) and `pool`. All other parameters are passed on to pg.
 *
 * @throws Refusal `bad_store`. Its message never contains the password
 */
export function readStoreUrl(text: string): StoreAddress {
  if (!/^postgres(ql)?:\/\//.test(text) || !URL.canParse(text)) {
    throw bad(
      'it is no URL of a PostgreSQL database',
      'it is memory, or postgres://USER:PASSWORD@HOST/DATABASE',
    )
  }
  const url = new URL(text)
  const schema = taken(url, 'schema') ?? taken(url, 'search_path') ?? DEFAULT_SCHEMA
  if (!SCHEMA.test(schema)) {
    throw bad(
      `its schema is ${JSON.stringify(schema)}`,
      'name one of up to 40 lower-case letters, digits and underscores',
    )
  }
  const pool = taken(url, 'pool') ?? DEFAULT_POOL
  if (!/^\d+$/.test(pool) || Number(pool) < 2 || Number(pool) > 200) {
    throw bad(`its pool is ${JSON.stringify(pool)}`, 'give a number of connections, 2 to 200')
  }
  const serverUrl = serverUrlOf(url)
  // JIT compilation takes longer than any statement of a store.
  const options = ['-c jit=off', url.searchParams.get('options'), `-c search_path=${schema}`]
    .filter(Boolean)
    .join(' ')
  url.searchParams.set('options', options)
  return {
    schema,
    pool: Number(pool),
    serverUrl,
    shown: `${url.host || 'this machine'}${url.pathname}`,
    config: {
      // The URL can override this limit, because pg gives its parameters precedence.
      statement_timeout: STATEMENT_MS,
      lock_timeout: STATEMENT_MS,
      // A replica that hangs in a transaction must not keep its locks.
      idle_in_transaction_session_timeout: STATEMENT_MS,
      // A suspended server accepts packets and never answers, so the client needs a limit of its own.
      query_timeout: Number(url.searchParams.get('statement_timeout') ?? STATEMENT_MS) + GRACE_MS,
      connectionTimeoutMillis: CONNECT_MS,
      application_name: 'mcp-understudy',
      keepAlive: true,
      pipeline: true,
      connectionString: url.href,
    },
  }
}

/** Parameters that identify the server, and the parameters of TLS. */
const OF_THE_SERVER = /^(ssl.*|host|port|uselibpqcompat)$/

function serverUrlOf(storeUrl: URL): string {
  const url = new URL(storeUrl)
  for (const name of [...url.searchParams.keys()])
    if (!OF_THE_SERVER.test(name)) url.searchParams.delete(name)
  return url.href
}

/**
 * Returns one of this project's parameters, and removes it from the URL, because the server does not know it.
 */
function taken(url: URL, name: string): string | undefined {
  const value = url.searchParams.get(name) ?? undefined
  url.searchParams.delete(name)
  return value
}

function bad(what: string, remedy: string): Refusal {
  return new Refusal('bad_store', `the store cannot be used: ${what}`, remedy)
}

/** The default of the option `store`. */
export const MEMORY = 'memory'

/**
 * Reads the option `store`. Undefined: the state is in memory.
 *
 * @throws Refusal `bad_store` for a text that is neither `memory` nor the URL of a store
 */
export function readStore(store: string): StoreAddress | undefined {
  return store === MEMORY ? undefined : readStoreUrl(store)
}
