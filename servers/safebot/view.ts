import { z } from 'zod'
import { CONTRACT_NAMES } from '../../shared/contract.js'
import { callUnderWay, mcpEndpoint } from '../../shared/mcp/server-view.js'
import { instant } from '../../shared/schemas/instant.js'

const message = z
  .strictObject({
    seq: z.int(),
    id: z.string(),
    sender: z.string(),
    senderVerified: z.boolean(),
    ciphertext: z.string().describe('base64; the service has no key'),
    nonce: z.string(),
    at: instant,
    replyTo: z.string().exactOptional(),
    ttlMs: z.number().exactOptional(),
    text: z
      .string()
      .nullable()
      .exactOptional()
      .describe('only if secrets were asked for; null: no key known to this process opens it'),
  })
  .meta({ id: 'Message' })

const lease = z
  .strictObject({
    claimId: z.string(),
    seq: z.int(),
    claimedAt: instant,
    expiresAt: instant.describe('the last instant at which it is good'),
    remainingMs: z.int(),
  })
  .meta({ id: 'Lease' })

const consumer = z
  .strictObject({
    handle: z.string(),
    cursor: z.int().describe('the last acknowledged seq'),
    lease: lease.nullable().describe('null: it holds none that is still good'),
  })
  .meta({ id: 'Consumer' })

const room = z
  .strictObject({
    id: z.string(),
    createdAt: instant,
    activeAt: instant,
    lastSeq: z.int(),
    signedOnly: z.boolean(),
    present: z.int().describe('how many are connected, with a name or without'),
    participants: z.array(z.strictObject({ name: z.string(), lastSeenMsAgo: z.int() })),
    waiting: z.int().describe('parked calls, and open event streams'),
    keyKnown: z
      .boolean()
      .describe('whether this process knows a key: from its world, or from a call of its tools'),
    buffered: z.int().describe('number of messages'),
    messages: z.array(message).describe('the latest messages, the oldest of them first'),
    consumers: z.array(consumer),
  })
  .meta({ id: 'Room' })

/** The state of Safebot. */
export const safebotView = z
  .strictObject({
    contract: z.enum(CONTRACT_NAMES),
    mcpUrl: mcpEndpoint,
    rooms: z.array(room),
    identities: z.int().describe('how many handles are registered'),
    calls: z.array(callUnderWay),
  })
  .meta({ id: 'SafebotView' })

export type SafebotView = z.infer<typeof safebotView>
