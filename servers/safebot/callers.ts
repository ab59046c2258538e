import { createHash } from 'node:crypto'
import { Refusal } from '../../shared/errors.js'
import type { IdSource } from '../../shared/ids.js'
import type { CallerClues } from '../../shared/mcp/conversation.js'
import { HANDLE } from './domain/model.js'
import type { RoomAddress } from './room-url.js'

/** Maximum length of a label in UTF-16 units, as in the real client. */
const MAX_LABEL_CHARS = 64

/** The handle of callers that have no session and send no handle. */
export const SESSIONLESS_HANDLE = 'mcp-local'

/**
 * Maximum number of agents without a session that are kept in memory. Above it, the least recently used agent
 * is dropped.
 */
const MAX_SESSIONLESS_AGENTS = 10_000

/** Maximum number of handles in one session. */
const MAX_HANDLES_PER_SESSION = 1000

/** A snapshot of all agents, as plain data. */
export interface AgentsSnapshot {
  readonly sessions: readonly { readonly session: string; readonly agents: readonly AgentSnapshot[] }[]
  /** Agents without a session, the least recently used first. */
  readonly sessionless: readonly AgentSnapshot[]
}

/** Finds or creates the agent of a request, by its session and its handle. */
export class Agents {
  readonly #ids: IdSource
  readonly #sharesSessions: boolean
  readonly #bySession = new Map<string, SessionAgents>()
  readonly #sessionless = new Map<string, Agent>()
  /** Generated handles that agents use now. */
  readonly #generatedHandles = new Set<string>()

  /**
   * @param ids source of handles for sessions that send no handle
   * @param sharesSessions whether several replicas serve the same HTTP sessions. Default false
   */
  constructor(ids: IdSource, sharesSessions = false) {
    this.#ids = ids
    this.#sharesSessions = sharesSessions
  }

  /**
   * Returns the agent of a request. The header `X-Safebot-Handle` names its handle, or else the query
   * parameter `handle`. A session that sends neither has a handle of its own. All callers that have no
   * session and send neither share one handle.
   *
   * @throws Refusal `bad_handle` for an invalid handle, or for too many handles in one session
   */
  identify({ transport, session, headers, query }: CallerClues): Agent {
    const named = headers['x-safebot-handle'] ?? query.get('handle') ?? undefined
    const handle = named === undefined ? undefined : readHandle(String(named))
    if (session === null) return this.#withoutSession(handle ?? SESSIONLESS_HANDLE)
    // The session id determines the handle, so all replicas give the session the same handle.
    const derived = this.#sharesSessions && transport === 'http' ? handleOfSession(session) : undefined
    return this.#inSession(session, handle ?? derived)
  }

  /** Ends a session. The agents of the session leave all rooms. */
  endSession(session: string): void {
    const { agents, generatedHandle } = this.#bySession.get(session) ?? { agents: new Map<string, Agent>() }
    for (const agent of agents.values()) agent.leave()
    if (generatedHandle !== undefined) this.#generatedHandles.delete(generatedHandle)
    this.#bySession.delete(session)
  }

  #inSession(session: string, handle: string | undefined): Agent {
    let known = this.#bySession.get(session)
    if (known === undefined) {
      known = { agents: new Map(), generatedHandle: undefined }
      this.#bySession.set(session, known)
    }
    const name = handle ?? known.generatedHandle ?? this.generateHandle()
    if (handle === undefined) known.generatedHandle = name
    const agent = known.agents.get(name) ?? new Agent(name, true)
    if (!known.agents.has(name) && known.agents.size >= MAX_HANDLES_PER_SESSION) {
      const message = `the session has used ${MAX_HANDLES_PER_SESSION} handles already`
      throw new Refusal('bad_handle', message, 'open another session')
    }
    known.agents.set(name, agent)
    return agent
  }

  /** Generates a handle that is not in use. */
  generateHandle(): string {
    // After a restore, the id source repeats handles. Agents may use some of these handles now.
    for (;;) {
      const handle = `mcp-${this.#ids.hex(6)}`
      if (this.#generatedHandles.has(handle)) continue
      this.#generatedHandles.add(handle)
      return handle
    }
  }

  /** Adds an agent as the only agent of a session. */
  add(session: string, agent: Agent): void {
    this.#bySession.set(session, { agents: new Map([[agent.handle, agent]]), generatedHandle: undefined })
  }

  /** Returns a snapshot of all agents. */
  snapshot(): AgentsSnapshot {
    const sessions = [...this.#bySession].map(([session, { agents }]) => ({
      session,
      agents: [...agents.values()].map(agent => agent.snapshot()),
    }))
    return { sessions, sessionless: [...this.#sessionless.values()].map(agent => agent.snapshot()) }
  }

  /**
   * Restores every agent of an open session, and the agents without a session. An agent that is not in the
   * snapshot gets an empty memory. An agent whose session has ended is not restored.
   *
   * @param join makes a handle present in a room under a label. The returned function ends this presence.
   */
  restore(
    { sessions, sessionless }: AgentsSnapshot,
    join: (roomId: string, handle: string, label: string) => () => void,
  ): void {
    const joinAs = (handle: string) => (roomId: string, label: string) => join(roomId, handle, label)
    for (const [session, { agents }] of this.#bySession) {
      const snapshots = sessions.find(known => known.session === session)?.agents ?? []
      for (const [handle, agent] of agents) {
        agent.restore(
          snapshots.find(snapshot => snapshot.handle === handle),
          joinAs(handle),
        )
      }
    }
    this.#sessionless.clear()
    for (const snapshot of sessionless) {
      this.#withoutSession(snapshot.handle).restore(snapshot, joinAs(snapshot.handle))
    }
  }

  #withoutSession(handle: string): Agent {
    const agent = this.#sessionless.get(handle) ?? new Agent(handle, false)
    this.#sessionless.delete(handle)
    this.#sessionless.set(handle, agent)
    if (this.#sessionless.size > MAX_SESSIONLESS_AGENTS) {
      const [oldest] = this.#sessionless.keys()
      if (oldest !== undefined) this.#sessionless.delete(oldest)
    }
    return agent
  }
}

interface SessionAgents {
  readonly agents: Map<string, Agent>
  /** The generated handle, once a request of this session has sent no handle. */
  generatedHandle: string | undefined
}

/** Returns the handle of a session, which is a digest of the session id. */
function handleOfSession(session: string): string {
  return `mcp-${createHash('sha256').update(session).digest('hex').slice(0, 16)}`
}

/**
 * Returns a handle in its canonical form: lower case, without a leading @.
 *
 * @throws Refusal `bad_handle`
 */
export function readHandle(text: string): string {
  const handle = text.trim().replace(/^@/, '').toLowerCase()
  if (HANDLE.test(handle)) return handle
  throw new Refusal(
    'bad_handle',
    `${JSON.stringify(text)} is not a handle`,
    'use 2 to 32 characters of a-z 0-9 _ -, the first one a letter or a digit',
  )
}

/** The memory that an agent has of one room. */
interface RoomMembership {
  readonly label: string
  /** All labels under which the agent has sent messages to this room. */
  readonly sentLabels: Set<string>
  readonly leave: (() => void) | undefined
}

/** A snapshot of one agent, as plain data. */
interface AgentSnapshot {
  readonly handle: string
  readonly activeUrl: string | undefined
  readonly rooms: readonly {
    readonly roomKey: string
    readonly label: string
    readonly sentLabels: readonly string[]
  }[]
}

/**
 * An agent with the state that the real MCP client keeps in its process: its handle, its label in each room,
 * and its active room.
 */
export class Agent {
  readonly #rooms = new Map<string, RoomMembership>()
  readonly #label: string | undefined
  readonly #loadIdentity: (() => Promise<string>) | undefined
  #handle: string
  #identityLoad: Promise<string> | undefined
  #activeUrl: string | undefined

  /**
   * @param handle the handle for claims and acknowledgements
   * @param joinsRooms whether the agent becomes present in the rooms that it uses. False for a caller without
   *   a session, because nothing would end that presence.
   * @param label the agent's label until a call names another one. Default: the handle
   * @param loadIdentity loads the permanent identity and returns its handle. Default: the agent keeps
   *   `handle`
   */
  constructor(
    handle: string,
    readonly joinsRooms: boolean,
    label?: string,
    loadIdentity?: () => Promise<string>,
  ) {
    this.#handle = handle
    this.#label = normalizeLabel(label)
    this.#loadIdentity = loadIdentity
  }

  get handle(): string {
    return this.#handle
  }

  get #defaultLabel(): string {
    return this.#label ?? this.#handle
  }

  /**
   * Loads the agent's identity, which may change the handle. Call this method before the agent uses its
   * handle.
   *
   * @throws the error of `loadIdentity`. The next call loads again.
   */
  async ensureIdentity(): Promise<void> {
    if (this.#loadIdentity === undefined) return
    this.#identityLoad ??= this.#loadIdentity()
    try {
      this.#handle = await this.#identityLoad
    } catch (error) {
      this.#identityLoad = undefined
      throw error
    }
  }

  /** Returns the agent's current label in a room. */
  label(room: RoomAddress): string {
    return this.#rooms.get(roomKeyOf(room))?.label ?? this.#defaultLabel
  }

  /** Returns all labels of the agent in a room: the current one, and those of its earlier messages. */
  labels(room: RoomAddress): string[] {
    const membership = this.#rooms.get(roomKeyOf(room))
    return membership === undefined
      ? [this.#defaultLabel]
      : [...new Set([membership.label, ...membership.sentLabels])]
  }

  /**
   * Enters a room. The agent keeps its label there until a later call names another one.
   *
   * @param join makes the agent present under a label, and is called once for each new label. The returned
   *   function ends this presence.
   * @param name the new label. Default: the label does not change
   */
  enter(room: RoomAddress, join: (label: string) => () => void, name?: string): void {
    const known = this.#rooms.get(roomKeyOf(room))
    const label = normalizeLabel(name) ?? known?.label ?? this.#defaultLabel
    if (known?.label === label) return
    // The agent joins under the new label first, so that the room always has a participant.
    const leave = this.joinsRooms ? join(label) : undefined
    known?.leave?.()
    this.#rooms.set(roomKeyOf(room), { label, sentLabels: known?.sentLabels ?? new Set(), leave })
  }

  /** Records that the agent has sent a message under its current label. */
  recordSent(room: RoomAddress): void {
    this.#rooms.get(roomKeyOf(room))?.sentLabels.add(this.label(room))
  }

  /** Makes a room the active room. Returns whether another room, or none, was active before. */
  activate({ url }: RoomAddress): boolean {
    const changed = url !== this.#activeUrl
    this.#activeUrl = url
    return changed
  }

  /** Returns a snapshot of this agent. */
  snapshot(): AgentSnapshot {
    const rooms = [...this.#rooms].map(([roomKey, { label, sentLabels }]) => ({
      roomKey,
      label,
      sentLabels: [...sentLabels],
    }))
    return { handle: this.handle, activeUrl: this.#activeUrl, rooms }
  }

  /**
   * Restores the agent's memory of local rooms, and joins these rooms again. The memory of rooms of other
   * services does not change, because a restore does not change those services.
   *
   * @param snapshot undefined: the agent gets an empty memory
   * @param join makes the agent present in a local room under a label. The returned function ends this
   *   presence.
   */
  restore(snapshot: AgentSnapshot | undefined, join: (roomId: string, label: string) => () => void): void {
    for (const [roomKey, { leave }] of this.#rooms) {
      if (!isLocalKey(roomKey)) continue
      leave?.()
      this.#rooms.delete(roomKey)
    }
    this.#activeUrl = snapshot?.activeUrl
    for (const { roomKey, label, sentLabels } of snapshot?.rooms ?? []) {
      if (!isLocalKey(roomKey)) continue
      const leave = this.joinsRooms ? join(roomKey, label) : undefined
      this.#rooms.set(roomKey, { label, sentLabels: new Set(sentLabels), leave })
    }
  }

  /** Leaves every room. */
  leave(): void {
    for (const { leave } of this.#rooms.values()) leave?.()
    this.#rooms.clear()
  }
}

/**
 * Returns a key that is unique among all services. A local room has the same key in all URLs that name it.
 */
function roomKeyOf({ isLocal, base, roomId }: RoomAddress): string {
  return isLocal ? roomId : `${base} ${roomId}`
}

/**
 * Returns whether a key belongs to a local room. Only the key of a room of another service contains a space.
 */
function isLocalKey(roomKey: string): boolean {
  return !roomKey.includes(' ')
}

/**
 * Returns a label as the real client normalizes it: trimmed, at most {@link MAX_LABEL_CHARS} UTF-16 units,
 * without a leading `@`, which marks a verified sender. Undefined if nothing is left.
 */
function normalizeLabel(name: string | undefined): string | undefined {
  const label = name?.trim().slice(0, MAX_LABEL_CHARS).replace(/^@+/, '')
  return label === '' ? undefined : label
}
