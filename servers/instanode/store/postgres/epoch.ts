import { statement } from '../../../../shared/records/statement.js'

export const EPOCH = statement('SELECT epoch FROM instanode_epoch')
/** Has the epoch stay what it is until the end of the transaction; no row if it is another. */
export const HOLD_EPOCH = statement('SELECT 1 FROM instanode_epoch WHERE epoch = $1 FOR SHARE')
/** Waits for who holds it. */
export const NEXT_EPOCH = statement('UPDATE instanode_epoch SET epoch = epoch + 1 RETURNING epoch')
