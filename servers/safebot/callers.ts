import { createHash } from 'node:crypto'
import { Refusal } from '../../shared/errors.js'
import type { IdSource } from '../../shared/ids.js'
import type { CallerClues } from '../../shared/mcp/conversation.js'
import type { RoomAddress } from './room-url.js'

const MAX_LABEL_CHARS = 64

/** The service accepts handles that match this. */
const HANDLE = /^[a-z0-9][a-z0-9_-]{1,31}$/

/** The handle of callers that neither send one nor have a session. */
export const SHARED_HANDLE = 'mcp-local'

/** Agents without a session that are remembered. Beyond that, the least recently seen is forgotten. */
const MAX_SESSIONLESS = 10_000

/** Handles that one session may use. */
const MAX_PER_SESSION = 1000

/** The memory of all agents, as plain data. */
export interface AgentMemories {
  readonly sessions: readonly { readonly session: string; readonly agents: readonly AgentMemory[] }[]
  /** The least recently seen first. */
  readonly sessionless: readonly AgentMemory[]
}

/** Finds the agent of a request, by session and by handle. */
export class Agents {
  readonly #ids: IdSource
  readonly #shared: boolean
  readonly #bySession = new Map<string, SessionAgents>()
  readonly #sessionless = new Map<string, Agent>()
  /** Generated handles that are in use. */
  readonly #generated = new Set<string>()

  /**
   * @param ids source of handles for sessions that send none
   * @param shared whether HTTP sessions are shared with other replicas
   */
  constructor(ids: IdSource, shared = false) {
    this.#ids = ids
    this.#shared = shared
  }

  /**
   * Returns the agent of a request, by its `X-Safebot-Handle` header, `?handle=` or session.
   *
   * @throws Refusal `bad_handle`
   */
  identify({ transport, session, headers, query }: CallerClues): Agent {
    const named = headers['x-safebot-handle'] ?? query.get('handle') ?? undefined
    const handle = named === undefined ? undefined : readHandle(String(named))
    if (session === null) return this.#bySessionless(handle ?? SHARED_HANDLE)
    // Every replica derives the same handle from the session.
    const own = this.#shared && transport === 'http' ? handleOf(session) : undefined
    return this.#inSession(session, handle ?? own)
  }

  /** Ends a session. Its agents leave their rooms. */
  forget(session: string): void {
    const { agents, ownHandle } = this.#bySession.get(session) ?? { agents: new Map<string, Agent>() }
    for (const agent of agents.values()) agent.leave()
    if (ownHandle !== undefined) this.#generated.delete(ownHandle)
    this.#bySession.delete(session)
  }

  #inSession(session: string, handle: string | undefined): Agent {
    let known = this.#bySession.get(session)
    if (known === undefined) {
      known = { agents: new Map(), ownHandle: undefined }
      this.#bySession.set(session, known)
    }
    const name = handle ?? known.ownHandle ?? this.generateHandle()
    if (handle === undefined) known.ownHandle = name
    const agent = known.agents.get(name) ?? new Agent(name, true)
    if (!known.agents.has(name) && known.agents.size >= MAX_PER_SESSION) {
      const message = `the session has spoken under ${MAX_PER_SESSION} handles already`
      throw new Refusal('bad_handle', message, 'open another session')
    }
    known.agents.set(name, agent)
    return agent
  }

  /** Generates a handle for an agent that has none. */
  generateHandle(): string {
    // After a restore the source repeats handles, and some of them are in use.
    for (;;) {
      const handle = `mcp-${this.#ids.hex(6)}`
      if (this.#generated.has(handle)) continue
      this.#generated.add(handle)
      return handle
    }
  }

  /** Adds an agent that was created elsewhere. */
  admit(session: string, agent: Agent): void {
    this.#bySession.set(session, { agents: new Map([[agent.handle, agent]]), ownHandle: undefined })
  }

  snapshot(): AgentMemories {
    const sessions = [...this.#bySession].map(([session, { agents }]) => ({
      session,
      agents: [...agents.values()].map(agent => agent.remember()),
    }))
    return { sessions, sessionless: [...this.#sessionless.values()].map(agent => agent.remember()) }
  }

  /**
   * Restores the memory of every agent. An agent without a saved memory gets an empty one. An agent whose
   * session has ended is not restored.
   *
   * @param join makes a handle present in a room under a label
   */
  restore(
    { sessions, sessionless }: AgentMemories,
    join: (roomId: string, handle: string, label: string) => () => void,
  ): void {
    const joining = (handle: string) => (roomId: string, label: string) => join(roomId, handle, label)
    for (const [session, { agents }] of this.#bySession) {
      const memories = sessions.find(known => known.session === session)?.agents ?? []
      for (const [handle, agent] of agents) {
        agent.recall(
          memories.find(memory => memory.handle === handle),
          joining(handle),
        )
      }
    }
    this.#sessionless.clear()
    for (const memory of sessionless)
      this.#bySessionless(memory.handle).recall(memory, joining(memory.handle))
  }

  #bySessionless(handle: string): Agent {
    const agent = this.#sessionless.get(handle) ?? new Agent(handle, false)
    this.#sessionless.delete(handle)
    this.#sessionless.set(handle, agent)
    if (this.#sessionless.size > MAX_SESSIONLESS) {
      const [oldest] = this.#sessionless.keys()
      if (oldest !== undefined) this.#sessionless.delete(oldest)
    }
    return agent
  }
}

interface SessionAgents {
  readonly agents: Map<string, Agent>
  /** The generated handle of a session that sends none, from its first request on. */
  ownHandle: string | undefined
}

/** Returns the handle that belongs to one session alone. */
function handleOf(session: string): string {
  return `mcp-${createHash('sha256').update(session).digest('hex').slice(0, 16)}`
}

/**
 * Returns a handle in its canonical spelling: lower case, without a leading @.
 *
 * @throws Refusal `bad_handle`
 */
export function readHandle(text: string): string {
  const handle = text.trim().replace(/^@/, '').toLowerCase()
  if (HANDLE.test(handle)) return handle
  throw new Refusal(
    'bad_handle',
    `${JSON.stringify(text)} is not a handle`,
    '2 to 32 of a-z 0-9 _ -, beginning with a letter or digit',
  )
}

/** The label of one agent in one room. */
interface Appearance {
  readonly label: string
  /** All labels that the agent has sent under in this room. */
  readonly used: Set<string>
  readonly leave: (() => void) | undefined
}

/** The memory of an agent, as plain data. */
interface AgentMemory {
  readonly handle: string
  readonly activeUrl: string | undefined
  readonly rooms: readonly {
    readonly place: string
    readonly label: string
    readonly used: readonly string[]
  }[]
}

/**
 * One agent with the memory that its MCP client would have: the handle it claims under, its label in each
 * room, and the last room it used. It lasts as long as its session.
 */
export class Agent {
  readonly #rooms = new Map<string, Appearance>()
  readonly #label: string | undefined
  readonly #loadIdentity: (() => Promise<string>) | undefined
  #handle: string
  #loading: Promise<string> | undefined
  #activeUrl: string | undefined

  /**
   * @param handle the handle for claims and acknowledgements
   * @param lasting whether the agent is present in the rooms it uses. A caller without a session is not.
   * @param label default label in rooms. Default: the handle
   * @param loadIdentity returns the permanent handle, if it has to be loaded first
   */
  constructor(
    handle: string,
    readonly lasting: boolean,
    label?: string,
    loadIdentity?: () => Promise<string>,
  ) {
    this.#handle = handle
    this.#label = cleanLabel(label)
    this.#loadIdentity = loadIdentity
  }

  get handle(): string {
    return this.#handle
  }

  get #defaultLabel(): string {
    return this.#label ?? this.#handle
  }

  /**
   * Loads the agent's identity. Call it before the agent acts under its handle.
   *
   * @throws the error of loading. The next call tries again.
   */
  async ensureIdentity(): Promise<void> {
    if (this.#loadIdentity === undefined) return
    this.#loading ??= this.#loadIdentity()
    try {
      this.#handle = await this.#loading
    } catch (error) {
      this.#loading = undefined
      throw error
    }
  }

  label(room: RoomAddress): string {
    return this.#rooms.get(placeOf(room))?.label ?? this.#defaultLabel
  }

  /** Returns the labels of the agent's own messages in a room. */
  labels(room: RoomAddress): string[] {
    const appearance = this.#rooms.get(placeOf(room))
    return appearance === undefined
      ? [this.#defaultLabel]
      : [...new Set([appearance.label, ...appearance.used])]
  }

  /**
   * Enters a room, under a new label if one is given. The label stays.
   *
   * @param join makes the agent present under a label. Called once for each new label.
   */
  enter(room: RoomAddress, join: (label: string) => () => void, name?: string): void {
    const known = this.#rooms.get(placeOf(room))
    const label = cleanLabel(name) ?? known?.label ?? this.#defaultLabel
    if (known?.label === label) return
    // Joins before it leaves, so that the room always has a participant.
    const leave = this.lasting ? join(label) : undefined
    known?.leave?.()
    this.#rooms.set(placeOf(room), { label, used: known?.used ?? new Set(), leave })
  }

  /** Records that the agent has sent under its current label. */
  sent(room: RoomAddress): void {
    this.#rooms.get(placeOf(room))?.used.add(this.label(room))
  }

  /** Makes a room the active one. Returns whether it was another one before. */
  activate({ url }: RoomAddress): boolean {
    const changed = url !== this.#activeUrl
    this.#activeUrl = url
    return changed
  }

  remember(): AgentMemory {
    const rooms = [...this.#rooms].map(([place, { label, used }]) => ({ place, label, used: [...used] }))
    return { handle: this.handle, activeUrl: this.#activeUrl, rooms }
  }

  /**
   * Replaces the agent's memory of this service's rooms, and joins them again. Rooms of other services keep
   * their memory, because this service does not restore them.
   *
   * @param memory default: an empty one
   * @param join makes the agent present in a room of this service under a label
   */
  recall(memory: AgentMemory | undefined, join: (roomId: string, label: string) => () => void): void {
    for (const [place, { leave }] of this.#rooms) {
      if (!isHere(place)) continue
      leave?.()
      this.#rooms.delete(place)
    }
    this.#activeUrl = memory?.activeUrl
    for (const { place, label, used } of memory?.rooms ?? []) {
      if (!isHere(place)) continue
      const leave = this.lasting ? join(place, label) : undefined
      this.#rooms.set(place, { label, used: new Set(used), leave })
    }
  }

  /** Leaves every room. */
  leave(): void {
    for (const appearance of this.#rooms.values()) appearance.leave?.()
    this.#rooms.clear()
  }
}

/** Returns the key of a room. All names of this machine have the same key. */
function placeOf({ here, base, roomId }: RoomAddress): string {
  return here ? roomId : `${base} ${roomId}`
}

/** A room id contains no space, so a key with a space belongs to another service. */
function isHere(place: string): boolean {
  return !place.includes(' ')
}

/**
 * Returns a label in the client's form: trimmed, cut, and without a leading @, which marks verified senders.
 */
function cleanLabel(name: string | undefined): string | undefined {
  const label = name?.trim().slice(0, MAX_LABEL_CHARS).replace(/^@+/, '')
  return label === '' ? undefined : label
}
