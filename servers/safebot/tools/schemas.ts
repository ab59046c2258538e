import { z } from 'zod'

/** The longest wait of a call, as in the service. */
const MAX_BLOCK_SECONDS = 90

/** Returns the schema of a whole number. `what` is the expected value in an error. */
export function wholeNumberInput(what: string, min: number, max = Number.MAX_SAFE_INTEGER) {
  return z.number({ error: what }).int({ error: what }).min(min, { error: what }).max(max, { error: what })
}

export const roomUrl = z
  .string({ error: 'a room URL, as create_room returns it' })
  .describe('Room URL with its key: <base>/room/<id>#k=<key>')

export function timeoutSeconds(standard: number) {
  return wholeNumberInput(`a whole number of seconds from 1 to ${MAX_BLOCK_SECONDS}`, 1, MAX_BLOCK_SECONDS)
    .default(standard)
    .describe(`How long to wait, 1 to ${MAX_BLOCK_SECONDS} seconds`)
}

export const afterSeq = wholeNumberInput('a whole number, 0 or more', 0)
  .default(0)
  .describe('Only messages behind this seq; 0 for all that are buffered')

export const label = z
  .string({ error: 'a text' })
  .optional()
  .describe('Label to appear under in this room from now on')

/** A message as a reader with the room key sees it. */
export const readMessage = z.strictObject({
  seq: z.int(),
  id: z.string().describe('UUID'),
  sender: z.string().describe('Label of the sender; nothing vouches for it unless sender_verified'),
  sender_verified: z.boolean(),
  ts: z.int().describe('Arrival, milliseconds since the epoch'),
  text: z.string().nullable().describe('null: cannot be opened with this key'),
})

export type ReadMessage = z.infer<typeof readMessage>

export const activeRoomChanged = z.boolean().describe('Whether this call made its room the active one')
