import { Refusal } from '../../shared/errors.js'
import type { IdSource } from '../../shared/ids.js'
import type { CallerClues } from '../../shared/mcp/conversation.js'
import { Agent } from './agent.js'

/** What the service takes as a handle. */
const HANDLE = /^[a-z0-9][a-z0-9_-]{1,31}$/

/** The handle that callers share who neither name one nor have a session to tell them apart. */
export const SHARED_HANDLE = 'mcp-local'

/** Agents without a session that are remembered; past it the least recently seen is forgotten. */
const MAX_SESSIONLESS = 10_000

/** Who is calling: the agents of one server, by session and by handle. */
export class Agents {
  readonly #ids: IdSource
  readonly #bySession = new Map<string, SessionAgents>()
  readonly #sessionless = new Map<string, Agent>()

  /** @param ids for the handles of sessions that bring none */
  constructor(ids: IdSource) {
    this.#ids = ids
  }

  /**
   * The agent a request comes from, by its `X-Safebot-Handle` header, `?handle=` or session.
   *
   * @throws Refusal `bad_handle`
   */
  identify({ session, headers, query }: CallerClues): Agent {
    const named = headers['x-safebot-handle'] ?? query.get('handle') ?? undefined
    const handle = named === undefined ? undefined : readHandle(String(named))
    return session === null ? this.#bySessionless(handle ?? SHARED_HANDLE) : this.#inSession(session, handle)
  }

  /** A session is over: its agents leave their rooms. */
  forget(session: string): void {
    for (const agent of this.#bySession.get(session)?.agents.values() ?? []) agent.leave()
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
    known.agents.set(name, agent)
    return agent
  }

  /** A handle for an agent that brings none. */
  generateHandle(): string {
    return `mcp-${this.#ids.hex(6)}`
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
