import type { Clock } from '../../shared/clock/clock.js'
import type { ContractName } from '../../shared/contract.js'
import type { ControlledServer, Gauge, StateRequest } from '../../shared/instance.js'
import type { McpHost } from '../../shared/mcp/host.js'
import { busyGauge, callsUnderWay, mcpUrl, reached } from '../../shared/mcp/server-view.js'
import { iso } from '../../shared/schemas/instant.js'
import { defined } from '../../shared/util/defined.js'
import type { Agent } from './callers.js'
import type { Consumer } from './domain/consumer.js'
import type { LocalService } from './domain/local-service.js'
import type { StoredMessage } from './domain/model.js'
import type { RoomOverview } from './domain/overview.js'
import { unseal } from './room-url.js'
import type { SafebotView } from './view.js'

/** A room that is never opened. */
const NOBODYS = 'understudy-readiness-probe'

export interface ControlledOptions extends StateSources {
  /** Returns whether its port accepts connections. Undefined: it has no port. */
  listening(): boolean | undefined
}

/** Returns the functions of the server that a control plane calls. */
export function controlled({ listening, ...sources }: ControlledOptions): ControlledServer<SafebotView> {
  const { local, host } = sources
  return {
    state: request => stateOf(sources, request),
    async checks() {
      const store = await local.status(NOBODYS).then(
        () => 'ok',
        (error: Error) => error.message,
      )
      return { ...(await reached(host, listening())), store }
    },
    async gauges() {
      const { rooms, messages, waiting } = await local.overview.totals()
      return [
        busyGauge(host),
        gauge('rooms', 'Rooms there are', rooms),
        gauge('messages_buffered', 'Messages in their buffers', messages),
        gauge('waiters', 'Parked calls and open event streams in rooms', waiting),
      ]
    },
  }
}

function gauge(name: string, about: string, value: number): Gauge {
  return { name, about, labels: {}, value }
}

/** Keys of rooms that this process knows, the likeliest first. The service itself has no keys. */
export type KeysInHand = ReadonlyMap<string, readonly Uint8Array[]>

/**
 * @param world keys of the world's rooms, by room
 * @param named keys in the room URLs that callers have given to the tools of this process
 */
export function keysInHand(
  world: ReadonlyMap<string, Uint8Array>,
  named: ReadonlyMap<string, readonly Uint8Array[]> = new Map(),
): KeysInHand {
  const keys = new Map<string, readonly Uint8Array[]>(named)
  for (const [roomId, key] of world) keys.set(roomId, [key, ...(named.get(roomId) ?? [])])
  return keys
}

/** Returns the text of a message, if one of the keys opens it. */
export function textOf(message: StoredMessage, keys: readonly Uint8Array[]): string | null {
  for (const key of keys) {
    const text = unseal(key, message)
    if (text !== null) return text
  }
  return null
}

type RoomState = SafebotView['rooms'][number]

interface StateSources {
  local: LocalService
  host: McpHost<Agent>
  clock: Clock
  contract: ContractName
  /** URL of the server. Undefined: it does not listen. */
  url(): string | undefined
  /** Returns the keys of rooms that this process knows. */
  keys(): KeysInHand
}

/** Returns the current state as plain data. */
async function stateOf(
  { local, host, clock, contract, url, keys }: StateSources,
  { latest, secrets }: StateRequest,
): Promise<SafebotView> {
  const now = clock.now()
  const inHand = keys()
  return {
    contract,
    mcpUrl: mcpUrl(url()),
    rooms: (await local.overview.rooms(latest)).map(overview => {
      const known = inHand.get(overview.room.id) ?? []
      return roomState(overview, now, known, secrets)
    }),
    identities: await local.store.identityCount(),
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
    waiting,
    buffered,
    keyKnown: keys.length > 0,
    messages: messages.map(message => ({
      ...messageState(message),
      ...defined({ text: secrets ? textOf(message, keys) : undefined }),
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
