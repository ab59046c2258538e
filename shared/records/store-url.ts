import type pg from 'pg'
import { Refusal } from '../errors.js'

/** The schema that a store keeps its tables in, if its URL names none. */
const DEFAULT_SCHEMA = 'understudy'

/** Connections of a pool. Two are enough for the two cores of a small machine to be busy; the rest wait for locks. */
const DEFAULT_POOL = 10

/** A schema is named in channels, too, and PostgreSQL cuts names at 63 bytes. */
const SCHEMA = /^[a-z_][a-z0-9_]{0,39}$/

/** How long opening a connection may take, in milliseconds. */
const CONNECT_MS = 5_000

/** Limit of a statement, in milliseconds. A statement of a store takes longer only if something is wrong. */
const STATEMENT_MS = 10_000

/** How much longer an answer may take than its statement, in milliseconds. */
const GRACE_MS = 2_000

/** The address of a store: connection settings, schema and pool. */
export interface StoreAddress {
  readonly config: pg.ClientConfig
  readonly schema: string
  /** Maximum of connections at once, without those that listen. */
  readonly pool: number
  /** The URL for making databases on the same server, without the parameters of the store. It holds the password. */
  readonly serverUrl: string
  /** Host and database for messages, without user, password and options. */
  readonly shown: string
}

/**
 * Reads the URL of a store: `postgres://USER:PASSWORD@HOST:PORT/DATABASE?schema=NAME&pool=10&sslmode=require`.
 *
 * `schema` (or `search_path`) and `pool` are this project's; all else is libpq's.
 *
 * @throws Refusal `bad_store`, which never shows the password
 */
export function readStoreUrl(text: string): StoreAddress {
  const url = parsed(text)
  const schema = taken(url, 'schema') ?? taken(url, 'search_path') ?? DEFAULT_SCHEMA
  if (!SCHEMA.test(schema)) {
    throw bad(
      `its schema is ${JSON.stringify(schema)}`,
      'name one of up to 40 lower-case letters, digits and underscores',
    )
  }
  const pool = readPool(taken(url, 'pool'))
  const serverUrl = serverUrlOf(url)
  // Compiling a statement takes longer than running any statement of a store.
  const options = ['-c jit=off', url.searchParams.get('options'), `-c search_path=${schema}`]
    .filter(Boolean)
    .join(' ')
  url.searchParams.set('options', options)
  return {
    schema,
    pool,
    serverUrl,
    shown: `${url.host || 'this machine'}${url.pathname}`,
    config: {
      // A limit that the URL sets is the one that holds: pg reads it last.
      statement_timeout: STATEMENT_MS,
      lock_timeout: STATEMENT_MS,
      // A replica that stops during a transaction must not make the others wait for its locks.
      idle_in_transaction_session_timeout: STATEMENT_MS,
      // A suspended server accepts packets and never answers. Its own time-outs would not end the query.
      query_timeout: Number(url.searchParams.get('statement_timeout') ?? STATEMENT_MS) + GRACE_MS,
      connectionTimeoutMillis: CONNECT_MS,
      application_name: 'mcp-understudy',
      keepAlive: true,
      pipeline: true,
      connectionString: url.href,
    },
  }
}

/** Parameters that identify the server, and those of TLS. */
const OF_THE_SERVER = /^(ssl.*|host|port|uselibpqcompat)$/

function serverUrlOf(storeUrl: URL): string {
  const url = new URL(storeUrl)
  for (const name of [...url.searchParams.keys()])
    if (!OF_THE_SERVER.test(name)) url.searchParams.delete(name)
  return url.href
}

function parsed(text: string): URL {
  if (!/^postgres(ql)?:\/\//.test(text) || !URL.canParse(text)) {
    throw bad(
      'it is no URL of a PostgreSQL database',
      'it is memory, or postgres://USER:PASSWORD@HOST/DATABASE',
    )
  }
  return new URL(text)
}

/** Takes a parameter of this project's out of the URL: the server would not know it. */
function taken(url: URL, name: string): string | undefined {
  const value = url.searchParams.get(name) ?? undefined
  url.searchParams.delete(name)
  return value
}

function readPool(text: string | undefined): number {
  if (text === undefined) return DEFAULT_POOL
  const pool = Number(text)
  if (/^\d+$/.test(text) && pool >= 2 && pool <= 200) return pool
  throw bad(`its pool is ${JSON.stringify(text)}`, 'give a number of connections, 2 to 200')
}

function bad(what: string, remedy: string): Refusal {
  return new Refusal('bad_store', `the store cannot be used: ${what}`, remedy)
}

/** The default of `store`. */
export const MEMORY = 'memory'

/** @throws Refusal `bad_store` for a text that is neither `memory` nor the URL of a store */
export function checkStore(store: string): void {
  if (store !== MEMORY) readStoreUrl(store)
}

/** The URL of the server that a store is on; undefined: it is in memory. @throws Refusal `bad_store` */
export function serverOf(store: string): string | undefined {
  return store === MEMORY ? undefined : readStoreUrl(store).serverUrl
}
