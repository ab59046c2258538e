import { z } from 'zod'

/** Maximum wait of a call in seconds. The service's number. */
const MAX_WAIT_SECONDS = 90

/**
 * Returns the schema of a whole number.
 *
 * @param what describes the accepted values in an error message
 */
export function wholeNumberInput(what: string, min: number, max = Number.MAX_SAFE_INTEGER) {
  return z.number({ error: what }).int({ error: what }).min(min, { error: what }).max(max, { error: what })
}

export const roomUrl = z
  .string({ error: 'a room URL, as create_room returns it' })
  .describe('Room URL with the key: <base>/room/<id>#k=<key>')

/**
 * Returns the schema of a time-out.
 *
 * @param fallback default in seconds
 */
export function timeoutSeconds(fallback: number) {
  return wholeNumberInput(`a whole number of seconds from 1 to ${MAX_WAIT_SECONDS}`, 1, MAX_WAIT_SECONDS)
    .default(fallback)
    .describe(`Maximum wait in seconds, 1 to ${MAX_WAIT_SECONDS}`)
}

export const afterSeq = wholeNumberInput('a whole number, 0 or more', 0)
  .default(0)
  .describe('Only messages after this seq. 0 for all buffered messages')

export const label = z.string({ error: 'a text' }).optional().describe('Your label in this room from now on')

/** A decrypted message in the result of a tool. */
export const readMessage = z.strictObject({
  seq: z.int(),
  id: z.string().describe('UUID'),
  sender: z.string().describe('Label of the sender. It is verified only if sender_verified is true'),
  sender_verified: z.boolean(),
  ts: z.int().describe('Time of arrival in milliseconds since the epoch'),
  text: z.string().nullable().describe('null: the key does not decrypt the message'),
})

export type ReadMessage = z.infer<typeof readMessage>

export const activeRoomChanged = z.boolean().describe('Whether this call has changed the active room')
