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
    ciphertext: z.string().describe('base64. The service cannot decrypt it'),
    nonce: z.string(),
    at: instant,
    replyTo: z.string().exactOptional(),
    ttlMs: z.number().exactOptional(),
    text: z
      .string()
      .nullable()
      .exactOptional()
      .describe('only in a request with secrets. null: this process knows no key that decrypts it'),
  })
  .meta({ id: 'Message' })

const lease = z
  .strictObject({
    claimId: z.string(),
    seq: z.int(),
    claimedAt: instant,
    expiresAt: instant.describe('last instant at which the lease is valid'),
    remainingMs: z.int(),
  })
  .meta({ id: 'Lease' })

const consumer = z
  .strictObject({
    handle: z.string(),
    cursor: z.int().describe('seq of the last acknowledged message'),
    lease: lease.nullable().describe('null: there is no valid lease'),
  })
  .meta({ id: 'Consumer' })

const room = z
  .strictObject({
    id: z.string(),
    createdAt: instant,
    activeAt: instant,
    lastSeq: z.int(),
    signedOnly: z.boolean(),
    present: z.int().describe('number of connected participants, with or without a name'),
    participants: z.array(z.strictObject({ name: z.string(), lastSeenMsAgo: z.int() })),
    waiting: z.int().describe('number of waiting requests and open event streams'),
    keyKnown: z
      .boolean()
      .describe('whether this process knows a key of the room, from its world or from a tool call'),
    buffered: z.int().describe('number of buffered messages'),
    messages: z.array(message).describe('the latest messages, the oldest of them first'),
    consumers: z.array(consumer),
  })
  .meta({ id: 'Room' })

/** The schema of the state of Safebot, as the control plane shows it. */
export const safebotView = z
  .strictObject({
    contract: z.enum(CONTRACT_NAMES),
    mcpUrl: mcpEndpoint,
    rooms: z.array(room),
    identities: z.int().describe('number of registered handles'),
    calls: z.array(callUnderWay),
  })
  .meta({ id: 'SafebotView' })

export type SafebotView = z.infer<typeof safebotView>
