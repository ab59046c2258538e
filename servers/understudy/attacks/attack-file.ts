import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Refusal } from '../../../shared/errors.js'
import { checked } from '../../../shared/util/check.js'
import { fixture } from '../../../shared/util/compiled.js'
import { readRegularFile } from '../../../shared/util/read-file.js'
import { shown } from '../../../shared/util/shown.js'
import { type Attack, attackSchema } from './attack.js'

const FIXTURES = fixture('attacks')

/** The names that attacks go by. */
export async function attackNames(): Promise<string[]> {
  const files = await readdir(FIXTURES)
  return files.flatMap(file => (file.endsWith('.json') ? [file.slice(0, -'.json'.length)] : [])).sort()
}

/**
 * Attacks by their names.
 *
 * @throws Refusal `unknown_attack` with those there are; `bad_attack`
 */
export async function readAttacks(names: readonly string[]): Promise<Attack[]> {
  const known = await attackNames()
  return Promise.all(
    names.map(async name => {
      if (known.includes(name)) {
        const text = readRegularFile(join(FIXTURES, `${name}.json`)).toString('utf8')
        return checked(attackSchema, JSON.parse(text), 'bad_attack', `attack ${name}`)
      }
      const hint = `there are ${known.join(', ')}`
      throw new Refusal('unknown_attack', `there is no attack ${shown(name)}`, hint)
    }),
  )
}
