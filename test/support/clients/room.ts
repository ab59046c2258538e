import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { z } from 'zod'
import { readMessage } from '../../../servers/safebot/tools/schemas.js'
import { ok } from '../servers/understudy.js'

const claimed = z.object({
  claim_id: z.string().nullable(),
  task: readMessage.nullable(),
  cursor: z.number(),
  last_seq: z.number(),
})

export interface Task {
  claimId: string
  seq: number
  text: string | null
}

/** A new room's URL. */
export async function createRoom(client: Client): Promise<string> {
  return z.object({ url: z.string() }).parse(await ok(client, 'create_room')).url
}

/** Sends a text; returns its seq. */
export async function say(client: Client, url: string, text: string, name?: string): Promise<number> {
  const sent = await ok(client, 'send_message', { url, text, ...(name !== undefined && { name }) })
  return z.object({ seq: z.number() }).parse(sent).seq
}

/** Claims a task; undefined if there was none in the time given. */
export async function claim(client: Client, url: string, timeoutSeconds = 60): Promise<Task | undefined> {
  const { task, claim_id } = claimed.parse(
    await ok(client, 'claim_task', { url, timeout_seconds: timeoutSeconds }),
  )
  return task === null || claim_id === null
    ? undefined
    : { claimId: claim_id, seq: task.seq, text: task.text }
}

/** Claims a task that must be there. */
export async function claimNow(client: Client, url: string): Promise<Task> {
  const task = await claim(client, url, 1)
  if (task === undefined) throw new Error('there was no task')
  return task
}

/** Acknowledges a task; tells whether that moved the cursor. */
export async function ack(client: Client, url: string, { claimId, seq }: Task): Promise<boolean> {
  const result = await ok(client, 'ack_task', { url, claim_id: claimId, seq })
  return z.object({ advanced: z.boolean() }).parse(result).advanced
}

/** The texts of the whole transcript. */
export async function transcript(client: Client, url: string): Promise<(string | null)[]> {
  const result = await ok(client, 'get_transcript', { url, limit: 500 })
  return z
    .object({ messages: z.array(readMessage) })
    .parse(result)
    .messages.map(message => message.text)
}
