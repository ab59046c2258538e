import pg from 'pg'

/** Connects to a database as any program would, and leaves again. */
export async function inDatabase<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await opened(url)
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/** How many sessions a database takes at once. @param upTo where to stop asking */
export async function sessionsAtOnce(url: string, upTo: number): Promise<number> {
  const open: pg.Client[] = []
  try {
    while (open.length < upTo) open.push(await opened(url))
  } catch (error) {
    // too_many_connections
    if (codeOf(error) !== '53300') throw error
  } finally {
    for (const client of open) await client.end()
  }
  return open.length
}

/** Why it takes nobody any more; undefined if it does. */
export async function whyClosed(url: string): Promise<string | undefined> {
  try {
    await inDatabase(url, async () => undefined)
    return undefined
  } catch (error) {
    if (codeOf(error) === undefined) throw error
    return error instanceof Error ? error.message : undefined
  }
}

async function opened(url: string): Promise<pg.Client> {
  const client = new pg.Client(url)
  // One that is ended from the other side says so here; it must not end the demo.
  client.on('error', () => undefined)
  await client.connect()
  return client
}

/** SQLSTATE, or what the system says of a connection. */
function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}
