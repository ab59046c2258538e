import { once } from 'node:events'
import { connect } from 'node:net'
import pg from 'pg'
import type { DatabaseLimits, DatabaseSpec } from '../../../servers/instanode/databases/provider.js'
import type { Clock } from '../../../shared/clock/clock.js'
import { IdSource } from '../../../shared/ids.js'

export const MB = 1024 * 1024

const ids = new IdSource()

/** Returns the specification of a new database. */
export function freshSpec(limits: Partial<DatabaseLimits> = {}): DatabaseSpec {
  return {
    name: `db_${ids.hex(12)}`,
    user: `usr_${ids.hex(12)}`,
    password: ids.hex(24),
    limits: { storageBytes: 10 * MB, connections: 2, ...limits },
  }
}

/** A connected node-postgres client. `ended` has the error that ended it, so that no error is unhandled. */
export class TestClient extends pg.Client {
  /** SQLSTATE of the error that ended the connection. */
  readonly ended: Promise<string | undefined>

  constructor(config: string | pg.ClientConfig) {
    super(config)
    let code: string | undefined
    this.on('error', (error: Error & { code?: string }) => {
      code ??= error.code
    })
    this.ended = new Promise(resolve => this.once('end', () => resolve(code)))
  }

  /** The first column of the first row. */
  async value(sql: string, values?: unknown[]): Promise<unknown> {
    const { rows } = await this.query({ text: sql, rowMode: 'array', ...(values && { values }) })
    return rows[0]?.[0]
  }
}

/**
 * Connects to a database.
 *
 * @throws Error of the server, once the socket is closed. PostgreSQL counts a refused connection until its process has ended, and closes the
 *   socket after that.
 */
export async function connected(url: string): Promise<TestClient> {
  const client = new TestClient(url)
  try {
    await client.connect()
  } catch (error) {
    await client.ended
    throw error
  }
  return client
}

/** SQLSTATE, or a refusal's code, with which `work` fails; undefined if it does not. */
export async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work
    return undefined
  } catch (error) {
    if (error instanceof Error && 'code' in error) return String(error.code)
    throw error
  }
}

/**
 * Starts a statement that does not end. Resolves when it runs: three rows come before it, and the engine sends the first one at once,
 * because they are larger than its output buffer of 64 KiB.
 *
 * @param first statements of the same batch, which run before it
 * @returns the SQLSTATE in which it ends, or undefined if it does not fail
 */
export async function startEndless(
  client: TestClient,
  first = '',
): Promise<{ ended: Promise<string | undefined> }> {
  const begun = once(client.connection, 'dataRow')
  const ended = codeOf(
    client.query(`${first}SELECT repeat('x', 40000) FROM generate_series(1, 3); SELECT pg_sleep(3600)`),
  )
  await begun
  return { ended }
}

/** Sends the protocol's CancelRequest for what `client` is running. */
export async function cancel(client: pg.Client): Promise<void> {
  const request = Buffer.alloc(16)
  request.writeInt32BE(16, 0)
  request.writeInt32BE(80877102, 4)
  request.writeInt32BE(Number(Reflect.get(client, 'processID')), 8)
  request.writeInt32BE(Number(Reflect.get(client, 'secretKey')), 12)
  const socket = connect(client.port, client.host)
  socket.end(request)
  socket.resume()
  await once(socket, 'close')
}

/** Moves a manual clock on, step by step, until `work` has settled: for what falls due a while after it began. */
export async function advanceUntil<T>(machine: Clock, stepMs: number, work: Promise<T>): Promise<T> {
  let settled = false
  const done = () => {
    settled = true
  }
  work.then(done, done)
  while (!settled) {
    await machine.advance(stepMs)
    // Sockets and threads get their turn: while they are slow, time must not run hours ahead of them.
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  return await work
}
