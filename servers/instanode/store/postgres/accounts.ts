import { statement } from '../../../../shared/records/statement.js'
import type { Account, Plan } from '../../domain/model.js'

export interface AccountRow {
  id: string
  user_id: string
  plan: Plan
  fixed_token: string | null
}

const COLUMNS = 'id, user_id, plan, fixed_token'

/** With {@link accountValues}. */
export const SAVE_ACCOUNT = statement(`
  INSERT INTO instanode_accounts (${COLUMNS}) VALUES ($1, $2, $3, $4)
  ON CONFLICT (id) DO UPDATE
    SET user_id = excluded.user_id, plan = excluded.plan, fixed_token = excluded.fixed_token`)
export const ACCOUNTS = statement(`SELECT ${COLUMNS} FROM instanode_accounts ORDER BY position`)
export const ACCOUNT_BY_TOKEN = statement(`SELECT ${COLUMNS} FROM instanode_accounts WHERE fixed_token = $1`)
export const ACCOUNT_BY_USER = statement(`SELECT ${COLUMNS} FROM instanode_accounts WHERE user_id = $1`)
export const CLEAR_ACCOUNTS = statement('DELETE FROM instanode_accounts')

export function accountOf({ id, user_id, plan, fixed_token }: AccountRow): Account {
  return { id, userId: user_id, plan, fixedToken: fixed_token }
}

export function accountValues({ id, userId, plan, fixedToken }: Account): unknown[] {
  return [id, userId, plan, fixedToken]
}
