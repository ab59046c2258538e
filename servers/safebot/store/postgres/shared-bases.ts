import { statement } from '../../../../shared/records/statement.js'
import type { StoreDatabase } from '../../../../shared/records/store-database.js'

const TOPIC = 'safebot-base'

const ADD_BASE = statement('INSERT INTO bases (origin) VALUES ($1) ON CONFLICT (origin) DO NOTHING')
const BASES = statement('SELECT origin FROM bases')

/**
 * Lets the other replicas know where this one is, and learns where they are, or were.
 *
 * @param learn is given each origin once it is known, now and as long as the database is open
 */
export async function shareBase(
  database: StoreDatabase,
  origin: string,
  learn: (origin: string) => void,
): Promise<void> {
  const learnAll = async () => {
    for (const { origin: known } of await database.read<{ origin: string }>(BASES)) learn(known)
  }
  database.notices.on(TOPIC, payload => learn(payload))
  // If it is gone again by now, there will be another gap.
  database.notices.onGap(() => void learnAll().catch(() => undefined))
  await database.transaction(async tx => {
    tx.send(ADD_BASE, [origin])
    tx.notify(TOPIC, origin)
  })
  await learnAll()
}
