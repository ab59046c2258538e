import type { Engine } from './engine/engine.js'
import { HiddenAnswers } from './session/hidden-answers.js'
import { frame } from './wire/frames.js'

/**
 * Gives an empty database its name and its owner, 5 to 20 ms.
 *
 * A database cannot be renamed from within, so the catalogue is written to; the open session goes by the number, the next
 * one by the name. The owner gets what the real service grants: to log in, and nothing beyond this database.
 *
 * @param name checked: `db_` and 12 hexadecimal digits
 * @param user checked: `usr_` and 12 hexadecimal digits
 */
export async function christen(engine: Engine, name: string, user: string): Promise<void> {
  const answers = new HiddenAnswers(
    size => engine.taken(size),
    () => {},
  )
  const statement = frame(
    'Q',
    `CREATE ROLE ${user} LOGIN;
     UPDATE pg_database SET datname = '${name}', datdba = '${user}'::regrole WHERE oid = 5`,
  )
  await engine.run(statement, Number.POSITIVE_INFINITY, answers)
  if (answers.error !== undefined)
    throw new Error(`the database could not be named: ${answers.error.message}`)
}
