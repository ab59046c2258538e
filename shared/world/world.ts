import { isIP } from 'node:net'
import { z } from 'zod'
import { Refusal } from '../errors.js'
import { checked, strict } from '../util/check.js'
import { duration } from './duration.js'

/** Maximum of every count in a world. It is larger than every limit that a world can test. */
const MAX_COUNT = 10_000

const ago = duration.exactOptional().describe('how long before the start it happened; default: at the start')
const text = z.string().min(1)
const uuid = z
  .string()
  .regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, { error: 'expected a UUID in lower case' })
const key = z
  .string()
  .regex(/^[A-Za-z0-9_-]{43}$/, { error: 'expected 32 bytes in base64url, 43 characters' })
const address = z.string().refine(value => isIP(value) !== 0, { error: 'expected an IP address' })
const times = z.int().min(1).max(MAX_COUNT).exactOptional().describe('number of repetitions; default: 1')

const account = strict({
  id: text,
  plan: z.enum(['free', 'paid']),
  token: text.nullable().exactOptional().describe('a bearer token that is always valid; default: none'),
  userId: uuid.exactOptional().describe('the user id in its tokens; default: generated'),
})

const resource = {
  name: z.string(),
  token: uuid.exactOptional().describe('default: generated'),
  account: text.exactOptional().describe('the id of the account that owns it; default: none'),
  from: address.exactOptional().describe('the address of its creator; default: 127.0.0.1'),
  ago,
  left: duration.exactOptional().describe('in place of ago: the part of its 24 hours that is left'),
}

const database = strict({
  ...resource,
  sql: z
    .union([z.string(), z.array(z.string())])
    .exactOptional()
    .describe('SQL that its owner runs in it at the start'),
})

const delivery = strict({
  method: text.exactOptional().describe('default: POST'),
  query: z.string().exactOptional().describe('without the question mark'),
  headers: z.record(z.string(), z.string()).exactOptional(),
  body: z.string().exactOptional(),
  ago,
  times,
})

const receiver = strict({ ...resource, deliveries: z.array(delivery).exactOptional() })

const provisions = strict({
  from: address,
  count: z
    .int()
    .min(1)
    .max(MAX_COUNT)
    .describe('number of anonymous provisions today whose resources are gone'),
})

const message = strict({ sender: text, text: z.string(), ago, times })

const consumer = strict({
  handle: text,
  acknowledged: z
    .int()
    .min(0)
    .max(MAX_COUNT)
    .exactOptional()
    .describe('number of acknowledged messages; default: 0'),
  claimed: duration
    .exactOptional()
    .describe('how long before the start it claimed the next message; default: no lease'),
})

const room = strict({
  id: text,
  key: key.exactOptional().describe('default: generated'),
  ago: ago.describe('how long before the start it was opened; default: its first message opens it'),
  messages: z.array(message).exactOptional(),
  consumers: z.array(consumer).exactOptional(),
})

const identity = strict({
  handle: text,
  signKey: key.exactOptional().describe('the seed of its Ed25519 key; default: generated'),
  bio: z.string().exactOptional(),
  ago,
})

/**
 * A world: the state in which an instance starts. It lists the events before the start, each with its age.
 */
export const worldSchema = strict({
  about: z.string().exactOptional(),
  accounts: z.array(account).exactOptional(),
  databases: z.array(database).exactOptional(),
  receivers: z.array(receiver).exactOptional(),
  provisions: z.array(provisions).exactOptional(),
  identities: z.array(identity).exactOptional(),
  rooms: z.array(room).exactOptional(),
})

export type World = z.infer<typeof worldSchema>
export type WorldAccount = z.infer<typeof account>
export type WorldDatabase = z.infer<typeof database>
export type WorldReceiver = z.infer<typeof receiver>
export type WorldRoom = z.infer<typeof room>
export type WorldIdentity = z.infer<typeof identity>

/**
 * Checks a world against its schema.
 *
 * @param what the name of the world in error messages
 * @throws Refusal `bad_world`
 */
export function checkWorld(value: unknown, what: string): World {
  return checked(worldSchema, value, 'bad_world', what)
}

/**
 * Returns the error for an invalid world.
 *
 * @param where path in the world, such as `world.rooms[0].messages[2]`
 * @param why what is wrong
 * @param hint the remedy
 */
export function badWorld(where: string, why: string, hint?: string): Refusal {
  return new Refusal('bad_world', `${where}: ${why}`, hint)
}
