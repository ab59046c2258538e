import type { Clock } from '../../../shared/clock/clock.js'
import type { ContractName } from '../../../shared/contract.js'
import type { StateRequest } from '../../../shared/instance.js'
import type { McpHost } from '../../../shared/mcp/host.js'
import { iso } from '../../../shared/schemas/instant.js'
import { callsUnderWay } from '../../control/calls-under-way.js'
import { mcpUrl } from '../../control/schemas/mcp-url.js'
import type { Agent } from '../agent.js'
import type { Consumer } from '../domain/consumer.js'
import type { RoomOverview } from '../domain/overview.js'
import type { Relay } from '../domain/relay.js'
import type { StoredMessage } from '../domain/room.js'
import type { SafebotView } from '../view.js'
import { type KeysInHand, textOf } from './keys-in-hand.js'

type RoomState = SafebotView['rooms'][number]

export interface StateSources {
  relay: Relay
  host: McpHost<Agent>
  clock: Clock
  contract: ContractName
  /** Where it listens; undefined: nowhere. */
  url(): string | undefined
  /** Keys of rooms, as far as this process has come by them. */
  keys(): KeysInHand
}

/** What exists now, as plain data. */
export async function stateOf(
  { relay, host, clock, contract, url, keys }: StateSources,
  { latest, secrets }: StateRequest,
): Promise<SafebotView> {
  const now = clock.now()
  const inHand = keys()
  return {
    contract,
    mcpUrl: mcpUrl(url()),
    rooms: (await relay.overview.rooms(latest)).map(overview => {
      const known = inHand.get(overview.room.id) ?? []
      return roomState(overview, now, known, secrets)
    }),
    identities: await relay.identities.count(),
    calls: callsUnderWay(host, now),
  }
}

function roomState(
  overview: RoomOverview,
  now: number,
  keys: readonly Uint8Array[],
  secrets: boolean,
): RoomState {
  const { room, present, participants, waiting, buffered, messages, consumers } = overview
  return {
    id: room.id,
    createdAt: iso(room.createdAt),
    activeAt: iso(room.activeAt),
    lastSeq: room.lastSeq,
    signedOnly: room.signedOnly,
    present,
    participants: participants.map(({ name, lastSeenMsAgo }) => ({ name, lastSeenMsAgo })),
    ...{ waiting, buffered },
    keyKnown: keys.length > 0,
    messages: messages.map(message => ({
      ...messageState(message),
      ...(secrets && { text: textOf(message, keys) }),
    })),
    consumers: consumers.map(consumer => consumerState(consumer, now)),
  }
}

function messageState({ ts, ...message }: StoredMessage): RoomState['messages'][number] {
  return { ...message, at: iso(ts) }
}

function consumerState(consumer: Consumer, now: number): RoomState['consumers'][number] {
  const { handle, cursor } = consumer
  const held = consumer.held(now)
  if (held === null) return { handle, cursor, lease: null }
  const { claimId, seq, claimedAt, ttlMs } = held
  const expiresAt = claimedAt + ttlMs
  return {
    handle,
    cursor,
    lease: {
      claimId,
      seq,
      claimedAt: iso(claimedAt),
      expiresAt: iso(expiresAt),
      remainingMs: expiresAt - now,
    },
  }
}
