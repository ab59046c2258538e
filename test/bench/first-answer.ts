import { connected, type TestClient } from '../support/databases/databases.js'

export interface FirstAnswer {
  /** From before the database was asked for to the answer, in milliseconds. */
  taken: number
  /** Still connected. */
  client: TestClient
}

/** Times `make` and the first answered `SELECT 1` behind the URL it gives, a new connection and its log-in included. */
export async function firstAnswer(make: () => Promise<{ url: string }>): Promise<FirstAnswer> {
  const begin = performance.now()
  const { url } = await make()
  const client = await connected(url)
  await client.query('SELECT 1')
  return { taken: performance.now() - begin, client }
}
