import type { RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { Clock, Wakeup } from '../../clock/clock.js'
import type { SseStream } from '../../http/sse.js'
import type { IdSource } from '../../ids.js'
import type { SharedSessions } from '../../records/shared-sessions.js'
import type { Call, Conversation, ServerMessage } from '../conversation.js'

/**
 * The time in milliseconds after which an unused session expires. Sessions expire because each session uses
 * memory, and a client can leave without a DELETE.
 */
export const SESSION_IDLE_MS = 30 * 60_000

/** Maximum number of open sessions. Further sessions are refused until some have ended. */
const MAX_SESSIONS = 100_000

/**
 * A session in use is reported to the other replicas at most this number of times in `idleMs` milliseconds.
 */
const MAX_REPORTS_PER_IDLE = 10

/** The session of a client that has initialized over HTTP. */
export class HttpSession implements Conversation {
  readonly transport = 'http'
  readonly inflight = new Map<RequestId, Call<unknown>>()
  /** Open GET streams. Messages that the server sends without a request go to the first stream. */
  readonly streams = new Set<SseStream>()
  version?: string
  usedAt: number
  /**
   * The time at which the session was last reported to the other replicas. Undefined: the other replicas do
   * not know the session.
   */
  reportedAt?: number

  constructor(
    readonly session: string,
    now: number,
  ) {
    this.usedAt = now
  }

  notify(message: ServerMessage): void {
    // The specification forbids sending one message on several streams.
    const [stream] = this.streams
    stream?.send(message)
  }

  /** Whether the session has no open request and no open stream. */
  get idle(): boolean {
    return this.inflight.size === 0 && this.streams.size === 0
  }
}

export interface SessionsOptions {
  machine: Clock
  ids: IdSource
  /** The time in milliseconds after which an unused session expires. Default {@link SESSION_IDLE_MS}. */
  idleMs?: number
  /** The sessions of the other replicas. Default: there are no other replicas. */
  shared?: SharedSessions | undefined
  /** Called when a session that another replica opened is first used on this replica. */
  onAdopted(session: HttpSession): void
  /** Called when a session has expired. */
  onExpired(session: HttpSession): void
  /** Called when another replica has ended a session. */
  onEnded(session: HttpSession): void
}

/** The HTTP sessions of one endpoint. A timer ends the idle sessions. */
export class Sessions {
  readonly #open = new Map<string, HttpSession>()
  readonly #options: SessionsOptions
  readonly #idleMs: number
  readonly #leave: (() => void) | undefined
  #reaper: Wakeup | undefined

  constructor(options: SessionsOptions) {
    this.#options = options
    this.#idleMs = options.idleMs ?? SESSION_IDLE_MS
    this.#leave = options.shared?.listen({
      known: () =>
        [...this.#open.values()].flatMap(({ session, reportedAt }) =>
          reportedAt === undefined ? [] : session,
        ),
      ended: id => this.#endedElsewhere(id),
    })
  }

  get size(): number {
    return this.#open.size
  }

  /** Whether the maximum number of open sessions is reached. */
  get full(): boolean {
    return this.#open.size >= MAX_SESSIONS
  }

  /**
   * Creates a session that is not open yet. {@link add} opens the session after `initialize` has succeeded.
   */
  draft(): HttpSession {
    return new HttpSession(this.#options.ids.uuid(), this.#options.machine.now())
  }

  add(session: HttpSession): void {
    this.#open.set(session.session, session)
    this.#reaper ??= this.#arm(this.#idleMs)
  }

  /**
   * Reports a new session to the other replicas. Returns undefined if there are no other replicas. The
   * promise never rejects.
   */
  report(session: HttpSession): Promise<void> | undefined {
    const { shared, machine } = this.#options
    return shared?.opened(session.session, session.version).then(known => {
      if (known) session.reportedAt = machine.now()
    })
  }

  /**
   * Returns the open session with this id and marks the session as used. Returns undefined if no such session
   * is open here.
   */
  use(id: string): HttpSession | undefined {
    const session = this.#open.get(id)
    if (session !== undefined) this.#used(session)
    return session
  }

  /**
   * Opens a session on this replica that another replica has opened before. Returns undefined if no replica
   * knows the id.
   *
   * @throws Refusal `store_unavailable`
   */
  async adopt(id: string): Promise<HttpSession | undefined> {
    const { shared, machine, onAdopted } = this.#options
    const found = await shared?.find(id)
    // Another request can have opened the session in the meantime.
    const known = this.use(id)
    if (known !== undefined || found === undefined) return known
    const session = new HttpSession(id, machine.now())
    session.reportedAt = machine.now()
    if (found.version !== undefined) session.version = found.version
    this.add(session)
    onAdopted(session)
    return session
  }

  /** Ends a session on all replicas. */
  async end(session: HttpSession): Promise<void> {
    this.#open.delete(session.session)
    await this.#options.shared?.ended(session.session)
  }

  /** Stops the timer, removes all sessions and returns them. */
  close(): HttpSession[] {
    this.#reaper?.cancel()
    this.#leave?.()
    const open = [...this.#open.values()]
    this.#open.clear()
    return open
  }

  #used(session: HttpSession): void {
    const { machine, shared } = this.#options
    const now = machine.now()
    session.usedAt = now
    if (session.reportedAt === undefined || now - session.reportedAt < this.#idleMs / MAX_REPORTS_PER_IDLE)
      return
    session.reportedAt = now
    shared?.used(session.session)
  }

  #endedElsewhere(id: string): void {
    const session = this.#open.get(id)
    if (session === undefined) return
    this.#open.delete(id)
    this.#options.onEnded(session)
  }

  #arm(inMs: number): Wakeup {
    return this.#options.machine.wakeAt(this.#options.machine.now() + inMs, () => this.#reap())
  }

  #reap(): void {
    const now = this.#options.machine.now()
    let next = now + this.#idleMs
    for (const session of this.#open.values()) {
      if (!session.idle) this.#used(session)
      else if (now - session.usedAt >= this.#idleMs) {
        // Only this replica drops the session. It stays open for the other replicas if one of them has used
        // it since.
        this.#open.delete(session.session)
        this.#options.onExpired(session)
      } else next = Math.min(next, session.usedAt + this.#idleMs)
    }
    this.#reaper = this.#open.size === 0 ? undefined : this.#arm(next - now)
  }
}
