import { createHash } from 'node:crypto'
import { Refusal } from '../../shared/errors.js'
import type { IdSource } from '../../shared/ids.js'
import type { CallerClues } from '../../shared/mcp/conversation.js'
import type { RoomAddress } from './room-url.js'

const MAX_LABEL_CHARS = 64

/** What the service takes as a handle. */
const HANDLE = /^[a-z0-9][a-z0-9_-]{1,31}$/

/** The handle that callers share who neither name one nor have a session to tell them apart. */
export const SHARED_HANDLE = 'mcp-local'

/** Agents without a session that are remembered; past it the least recently seen is forgotten. */
const MAX_SESSIONLESS = 10_000

/** Handles that one session may speak under. */
const MAX_PER_SESSION = 1000

/** What the agents remember, as plain data. */
export interface AgentMemories {
  readonly sessions: readonly { readonly session: string; readonly agents: readonly AgentMemory[] }[]
  /** The least recently seen first. */
  readonly sessionless: readonly AgentMemory[]
}

/** Who is calling: the agents of one server, by session and by handle. */
export class Agents {
  readonly #ids: IdSource
  readonly #shared: boolean
  readonly #bySession = new Map<string, SessionAgents>()
  readonly #sessionless = new Map<string, Agent>()
  /** Handles that were made up and are in use. */
  readonly #generated = new Set<string>()

  /**
   * @param ids for the handles of sessions that bring none
   * @param shared whether sessions over HTTP are those of other replicas as well
   */
  constructor(ids: IdSource, shared = false) {
    this.#ids = ids
    this.#shared = shared
  }

  /**
   * The agent a request comes from, by its `X-Safebot-Handle` header, `?handle=` or session.
   *
   * @throws Refusal `bad_handle`
   */
  identify({ transport, session, headers, query }: CallerClues): Agent {
    const named = headers['x-safebot-handle'] ?? query.get('handle') ?? undefined
    const handle = named === undefined ? undefined : readHandle(String(named))
    if (session === null) return this.#bySessionless(handle ?? SHARED_HANDLE)
    // Each replica comes to the same one by itself.
    const own = this.#shared && transport === 'http' ? handleOf(session) : undefined
    return this.#inSession(session, handle ?? own)
  }

  /** A session is over: its agents leave their rooms. */
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

  /** A handle for an agent that brings none. */
  generateHandle(): string {
    // Once its source has been put back, it comes upon what somebody has by now.
    for (;;) {
      const handle = `mcp-${this.#ids.hex(6)}`
      if (this.#generated.has(handle)) continue
      this.#generated.add(handle)
      return handle
    }
  }

  /** Takes in an agent that was made elsewhere. */
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
   * Has every agent remember what it did then. One that was not there yet remembers nothing; one whose session is over
   * does not come back.
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
  /** Given to a session that names no handle, on its first request. */
  ownHandle: string | undefined
}

/** A handle of a session's own, for it alone. */
function handleOf(session: string): string {
  return `mcp-${createHash('sha256').update(session).digest('hex').slice(0, 16)}`
}

/**
 * A handle in its canonical spelling: lower case, without a leading @.
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

/** What one agent goes by in one room. */
interface Appearance {
  readonly label: string
  /** Every label it has sent under here. */
  readonly used: Set<string>
  readonly leave: (() => void) | undefined
}

/** What an agent remembers, as plain data. */
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
 * One agent as its MCP client would remember it: the handle it claims under, the label it has in each room, the
 * room it was last busy in. It lasts as long as its session.
 */
export class Agent {
  readonly #rooms = new Map<string, Appearance>()
  readonly #label: string | undefined
  readonly #takeUp: (() => Promise<string>) | undefined
  #handle: string
  #takingUp: Promise<string> | undefined
  #activeUrl: string | undefined

  /**
   * @param handle what it claims and acknowledges under
   * @param lasting whether it is present in the rooms it is busy in; a caller without a session is not
   * @param label its default label in rooms; default: the handle
   * @param takeUp gets the handle that it has for good, if that is not known before it is needed
   */
  constructor(
    handle: string,
    readonly lasting: boolean,
    label?: string,
    takeUp?: () => Promise<string>,
  ) {
    this.#handle = handle
    this.#label = cleanLabel(label)
    this.#takeUp = takeUp
  }

  get handle(): string {
    return this.#handle
  }

  get #defaultLabel(): string {
    return this.#label ?? this.#handle
  }

  /**
   * To be called before it does anything under its handle.
   *
   * @throws what kept it from getting that; the next call tries again
   */
  async beSomebody(): Promise<void> {
    if (this.#takeUp === undefined) return
    this.#takingUp ??= this.#takeUp()
    try {
      this.#handle = await this.#takingUp
    } catch (error) {
      this.#takingUp = undefined
      throw error
    }
  }

  label(room: RoomAddress): string {
    return this.#rooms.get(placeOf(room))?.label ?? this.#defaultLabel
  }

  /** The labels whose messages are its own in a room. */
  labels(room: RoomAddress): string[] {
    const appearance = this.#rooms.get(placeOf(room))
    return appearance === undefined
      ? [this.#defaultLabel]
      : [...new Set([appearance.label, ...appearance.used])]
  }

  /**
   * Appears in a room, under a new label if one is given; that label stays.
   *
   * @param join makes it present there under a label; called once for each label it takes
   */
  enter(room: RoomAddress, join: (label: string) => () => void, name?: string): void {
    const known = this.#rooms.get(placeOf(room))
    const label = cleanLabel(name) ?? known?.label ?? this.#defaultLabel
    if (known?.label === label) return
    // Present anew before it leaves, so that the room is not left alone in between.
    const leave = this.lasting ? join(label) : undefined
    known?.leave?.()
    this.#rooms.set(placeOf(room), { label, used: known?.used ?? new Set(), leave })
  }

  /** Notes that it has sent under its present label. */
  sent(room: RoomAddress): void {
    this.#rooms.get(placeOf(room))?.used.add(this.label(room))
  }

  /** Makes a room the active one; tells whether that is a change. */
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
   * Remembers that and nothing else of this service's rooms, and is in those again. What it does elsewhere is not for this
   * service to put back.
   *
   * @param memory default: nothing
   * @param join makes it present in a room of this service under a label
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

/** What tells one room from another: all names of this machine are one place. */
function placeOf({ here, base, roomId }: RoomAddress): string {
  return here ? roomId : `${base} ${roomId}`
}

/** No room's id has a space in it. */
function isHere(place: string): boolean {
  return !place.includes(' ')
}

/** A label as the client writes it: trimmed, cut, without a leading @, which is for verified senders. */
function cleanLabel(name: string | undefined): string | undefined {
  const label = name?.trim().slice(0, MAX_LABEL_CHARS).replace(/^@+/, '')
  return label === '' ? undefined : label
}
