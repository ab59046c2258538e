import type { RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { Clock, Wakeup } from '../../clock/clock.js'
import type { SseStream } from '../../http/sse.js'
import type { IdSource } from '../../ids.js'
import type { SharedSessions } from '../../records/shared-sessions.js'
import type { Call, Conversation, ServerMessage } from '../conversation.js'

/** How long a session may go unused: clients are free to leave without a DELETE, and each holds memory. */
export const SESSION_IDLE_MS = 30 * 60_000

/** Sessions open at once. Further ones are refused until some have ended. */
const MAX_SESSIONS = 100_000

/** How often the other replicas are told that a session is in use, in each period after which unused sessions expire. */
const TOLD_PER_IDLE = 10

/** A client that has initialized over HTTP. */
export class HttpSession implements Conversation {
  readonly transport = 'http'
  readonly inflight = new Map<RequestId, Call<unknown>>()
  /** Open GET streams. Messages that the server sends unasked go to the first of them. */
  readonly streams = new Set<SseStream>()
  version?: string
  usedAt: number
  /** When the other replicas were last told that the session is in use. Undefined: they do not know of the session. */
  toldAt?: number

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

  /** Whether nothing holds the session open. */
  get idle(): boolean {
    return this.inflight.size === 0 && this.streams.size === 0
  }
}

export interface SessionsOptions {
  machine: Clock
  ids: IdSource
  /** Default {@link SESSION_IDLE_MS}. */
  idleMs?: number
  /** Those of the other replicas. Default: there are none. */
  shared?: SharedSessions | undefined
  /** A session that was opened elsewhere is used here. */
  onAdopted(session: HttpSession): void
  /** A session has gone unused for too long and is no more. */
  onExpired(session: HttpSession): void
  /** A session has been ended elsewhere. */
  onEnded(session: HttpSession): void
}

/** The HTTP sessions of one endpoint, with the reaper that ends the idle ones. */
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
        [...this.#open.values()].flatMap(({ session, toldAt }) => (toldAt === undefined ? [] : session)),
      ended: id => this.#endedElsewhere(id),
    })
  }

  get size(): number {
    return this.#open.size
  }

  /** Whether as many are open as may be at once. */
  get full(): boolean {
    return this.#open.size >= MAX_SESSIONS
  }

  /** A session that is not open yet: it becomes so by {@link add}, once `initialize` has succeeded. */
  draft(): HttpSession {
    return new HttpSession(this.#options.ids.uuid(), this.#options.machine.now())
  }

  add(session: HttpSession): void {
    this.#open.set(session.session, session)
    this.#reaper ??= this.#arm(this.#idleMs)
  }

  /** Has the other replicas accept a session; undefined: there are none. It never rejects. */
  tell(session: HttpSession): Promise<void> | undefined {
    const { shared, machine } = this.#options
    return shared?.opened(session.session, session.version).then(told => {
      if (told) session.toldAt = machine.now()
    })
  }

  /** The open session of that id, marked as used. */
  use(id: string): HttpSession | undefined {
    const session = this.#open.get(id)
    if (session !== undefined) this.#used(session)
    return session
  }

  /**
   * The session of that id that another replica has opened; it is open here as well from then on.
   *
   * @throws Refusal `store_unavailable`
   */
  async adopt(id: string): Promise<HttpSession | undefined> {
    const { shared, machine, onAdopted } = this.#options
    const found = await shared?.find(id)
    // Two requests may have asked for it at once.
    const known = this.use(id)
    if (known !== undefined || found === undefined) return known
    const session = new HttpSession(id, machine.now())
    session.toldAt = machine.now()
    if (found.version !== undefined) session.version = found.version
    this.add(session)
    onAdopted(session)
    return session
  }

  /** It is no more, on no replica. */
  async end(session: HttpSession): Promise<void> {
    this.#open.delete(session.session)
    await this.#options.shared?.ended(session.session)
  }

  /** Stops the reaper and hands out what was open. */
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
    if (session.toldAt === undefined || now - session.toldAt < this.#idleMs / TOLD_PER_IDLE) return
    session.toldAt = now
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
        // The other replicas go by when it was last used on any of them.
        this.#open.delete(session.session)
        this.#options.onExpired(session)
      } else next = Math.min(next, session.usedAt + this.#idleMs)
    }
    this.#reaper = this.#open.size === 0 ? undefined : this.#arm(next - now)
  }
}
