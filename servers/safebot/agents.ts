import { createHash } from 'node:crypto'
import { Refusal } from '../../shared/errors.js'
import type { IdSource } from '../../shared/ids.js'
import type { CallerClues } from '../../shared/mcp/conversation.js'
import { Agent, type AgentMemory } from './agent.js'

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
