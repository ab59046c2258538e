import type { Clock } from '../../../shared/clock/clock.js'
import type { ContractName } from '../../../shared/contract.js'
import { callsUnderWay } from '../../../shared/control/calls-under-way.js'
import type { StateRequest } from '../../../shared/control/controlled.js'
import { iso } from '../../../shared/control/schemas/instant.js'
import type { SafebotView } from '../../../shared/control/schemas/safebot-view.js'
import type { McpHost } from '../../../shared/mcp/host.js'
import type { Agent } from '../agent.js'
import type { Consumer } from '../domain/consumer.js'
import type { RoomOverview } from '../domain/overview.js'
import type { Relay } from '../domain/relay.js'
import type { StoredMessage } from '../domain/room.js'

type RoomState = SafebotView['rooms'][number]

export interface StateSources {
  relay: Relay
  host: McpHost<Agent>
  clock: Clock
  contract: ContractName
}

/** What exists now, as plain data. */
export async function stateOf(
  { relay, host, clock, contract }: StateSources,
  { latest }: StateRequest,
): Promise<SafebotView> {
  const now = clock.now()
  return {
    contract,
    rooms: (await relay.overview.rooms(latest)).map(overview => roomState(overview, now)),
    identities: await relay.identities.count(),
    calls: callsUnderWay(host, now),
  }
}

function roomState(overview: RoomOverview, now: number): RoomState {
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
    messages: messages.map(messageState),
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
