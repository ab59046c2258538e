import { statement } from '../../../../shared/records/statement.js'
import type { StoreDatabase } from '../../../../shared/records/store-database.js'
import type { Identity } from '../../domain/identity.js'

const IDENTITY = statement(
  'SELECT handle, box_pub, sign_pub, registered_at, meta FROM identities WHERE handle = $1',
)
const ADD_IDENTITY = statement(`
  INSERT INTO identities (handle, box_pub, sign_pub, registered_at, meta) VALUES ($1, $2, $3, $4, $5)
  ON CONFLICT (handle) DO NOTHING RETURNING handle`)
const COUNT = statement('SELECT count(*) AS count FROM identities')

/** An identity as its table has it. */
export interface IdentityRow {
  handle: string
  box_pub: string
  sign_pub: string
  registered_at: number
  meta: string
}

/** Who has registered, with whichever replica. */
export class StoredIdentities {
  readonly #database: StoreDatabase

  constructor(database: StoreDatabase) {
    this.#database = database
  }

  async find(handle: string): Promise<Identity | undefined> {
    // None has one that is no text PostgreSQL could hold.
    if (handle.includes('\0')) return undefined
    const [row] = await this.#database.read<IdentityRow & Record<string, unknown>>(IDENTITY, [handle])
    return row && readIdentity(row)
  }

  /** Whoever is first has it. */
  async add(identity: Identity): Promise<boolean> {
    return (await this.#database.write(ADD_IDENTITY, Object.values(identityRow(identity)))).length > 0
  }

  async count(): Promise<number> {
    const [row] = await this.#database.read<{ count: number }>(COUNT)
    return row?.count ?? 0
  }
}

export function identityRow({ handle, boxPub, signPub, registeredAt, meta }: Identity): IdentityRow {
  const keys = { box_pub: boxPub, sign_pub: signPub }
  return { handle, ...keys, registered_at: registeredAt, meta: JSON.stringify(meta) }
}

export function readIdentity({ handle, box_pub, sign_pub, registered_at, meta }: IdentityRow): Identity {
  const known: Identity['meta'] = JSON.parse(meta)
  return { handle, boxPub: box_pub, signPub: sign_pub, registeredAt: registered_at, meta: known }
}
