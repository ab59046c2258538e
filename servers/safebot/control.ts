import type { Clock } from '../../shared/clock/clock.js'
import type { ContractName } from '../../shared/contract.js'
import type { ControlledServer, Gauge, StateRequest } from '../../shared/instance.js'
import type { McpHost } from '../../shared/mcp/host.js'
import { busyGauge, callsUnderWay, mcpUrl, reached } from '../../shared/mcp/server-view.js'
import { iso } from '../../shared/schemas/instant.js'
import { defined } from '../../shared/util/objects.js'
import type { Agent } from './callers.js'
import type { Consumer } from './domain/consumer.js'
import type { LocalService } from './domain/local-service.js'
import type { StoredMessage } from './domain/model.js'
import type { RoomOverview } from './domain/overview.js'
import { unseal } from './room-url.js'
import type { SafebotView } from './view.js'

/** Room id that the readiness check reads. No caller opens this room. */
const PROBE_ROOM_ID = 'understudy-readiness-probe'

export interface ControlledOptions extends StateSources {
  /** Returns whether the server's port accepts connections. Undefined: the server has no port. */
  listening(): boolean | undefined
}

/**
 * Returns the functions of the server that a control plane calls: the state, the readiness checks and the
 * metrics.
 */
export function controlled({ listening, ...sources }: ControlledOptions): ControlledServer<SafebotView> {
  const { local, host } = sources
  return {
    state: request => stateOf(sources, request),
    async checks() {
      const store = await local.status(PROBE_ROOM_ID).then(
        () => 'ok',
        (error: Error) => error.message,
      )
      return { ...(await reached(host, listening())), store }
    },
    async gauges() {
      const { rooms, messages, waiting } = await local.overview.totals()
      return [
        busyGauge(host),
        gauge('rooms', 'Number of rooms', rooms),
        gauge('messages_buffered', 'Number of messages in the buffers of all rooms', messages),
        gauge('waiters', 'Number of waiting requests and open event streams', waiting),
      ]
    },
  }
}

function gauge(name: string, about: string, value: number): Gauge {
  return { name, about, labels: {}, value }
}

/**
 * The room keys that this process knows, by room id. The first key of a room is most likely the right one.
 */
export type KnownKeys = ReadonlyMap<string, readonly Uint8Array[]>

/**
 * Combines the known keys of rooms.
 *
 * @param world keys of the world's rooms, by room id
 * @param fromUrls keys in the room URLs that the tools of this process have received, by room id. They may be
 *   wrong.
 */
export function knownKeys(
  world: ReadonlyMap<string, Uint8Array>,
  fromUrls: ReadonlyMap<string, readonly Uint8Array[]> = new Map(),
): KnownKeys {
  const keys = new Map<string, readonly Uint8Array[]>(fromUrls)
  for (const [roomId, key] of world) keys.set(roomId, [key, ...(fromUrls.get(roomId) ?? [])])
  return keys
}

/** Decrypts a message with the first key that fits. Null if none fits. */
export function decrypt(message: StoredMessage, keys: readonly Uint8Array[]): string | null {
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
  /** Returns the URL of the server. Undefined: the server does not listen. */
  url(): string | undefined
  /** Returns the room keys that this process knows. */
  keys(): KnownKeys
}

/**
 * Returns the current state as plain data.
 *
 * @param latest maximum number of messages for each room
 * @param secrets whether the state includes decrypted texts
 */
async function stateOf(
  { local, host, clock, contract, url, keys }: StateSources,
  { latest, secrets }: StateRequest,
): Promise<SafebotView> {
  const now = clock.now()
  const known = keys()
  return {
    contract,
    mcpUrl: mcpUrl(url()),
    rooms: (await local.overview.rooms(latest)).map(overview => {
      const roomKeys = known.get(overview.room.id) ?? []
      return roomState(overview, now, roomKeys, secrets)
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
      ...defined({ text: secrets ? decrypt(message, keys) : undefined }),
    })),
    consumers: consumers.map(consumer => consumerState(consumer, now)),
  }
}

function messageState({ ts, ...message }: StoredMessage): RoomState['messages'][number] {
  return { ...message, at: iso(ts) }
}

function consumerState(consumer: Consumer, now: number): RoomState['consumers'][number] {
  const { handle, cursor } = consumer
  const lease = consumer.validLease(now)
  if (lease === null) return { handle, cursor, lease: null }
  const { claimId, seq, claimedAt, ttlMs } = lease
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
