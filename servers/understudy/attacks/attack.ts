import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { Refusal } from '../../../shared/errors.js'
import { faultSchema } from '../../../shared/faults/fault.js'
import { overlaySchema } from '../../../shared/overlays/overlay.js'
import { checked, strict } from '../../../shared/util/check.js'
import { fixture } from '../../../shared/util/compiled.js'
import { readRegularFile } from '../../../shared/util/read-file.js'
import { shown } from '../../../shared/util/shown.js'

const FIXTURES = fixture('attacks')

const name = z.string().regex(/^[a-z0-9-]+$/, { error: 'a name of small letters, digits and dashes' })

/**
 * The schema of an attack profile. A profile describes hostile content that the stand-ins show.
 *
 * Attacks are harmless. Their instructions tell an agent to send data to `.invalid` names or to a room of
 * this process. All secrets are invented.
 */
const attackSchema = strict({
  name,
  about: z.string().describe('one sentence for the operator'),
  overlays: z.array(overlaySchema).exactOptional(),
  faults: z.array(faultSchema).exactOptional(),
  rooms: z
    .record(name, z.array(strict({ from: z.string(), text: z.string() })).min(1))
    .exactOptional()
    .describe('rooms with messages from strangers. The key is a name for the room'),
  receivers: z
    .record(
      name,
      strict({
        account: z.string().describe('the id of the account that owns the receiver'),
        name: z.string(),
        deliveries: z.array(z.string()).exactOptional().describe('bodies of requests from strangers'),
      }),
    )
    .exactOptional(),
  instanode: strict({
    sharesLists: z.literal(true).exactOptional(),
    tokenIssuer: z.string().exactOptional(),
  }).exactOptional(),
  safebot: strict({
    copiedMessages: strict({
      room: z.string().regex(/^[A-Za-z0-9_-]{4,64}$/),
      after: z.int().min(0),
    }).exactOptional(),
  }).exactOptional(),
})

export type Attack = z.output<typeof attackSchema>

/** Returns the names of all attack profiles. */
export async function attackNames(): Promise<string[]> {
  const files = await readdir(FIXTURES)
  return files.flatMap(file => (file.endsWith('.json') ? [file.slice(0, -'.json'.length)] : [])).sort()
}

/**
 * Reads attack profiles by their names.
 *
 * @throws Refusal `unknown_attack` with the known names, or `bad_attack` with each wrong field
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
