import type { RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { Clock, Wakeup } from '../../clock/clock.js'
import type { SseStream } from '../../http/sse.js'
import type { IdSource } from '../../ids.js'
import type { Call, Conversation, ServerMessage } from '../conversation.js'

/** How long a session may go unused: clients are free to leave without a DELETE, and each holds memory. */
export const SESSION_IDLE_MS = 30 * 60_000

/** A client that has initialized over HTTP. */
export class HttpSession implements Conversation {
  readonly transport = 'http'
  readonly inflight = new Map<RequestId, Call<unknown>>()
  /** Open GET streams; what the server says of its own accord goes to the first of them. */
  readonly streams = new Set<SseStream>()
  version?: string
  usedAt: number

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
  /** A session has gone unused for too long and is no more. */
  onExpired(session: HttpSession): void
}

/** The HTTP sessions of one endpoint, with the reaper that ends the idle ones. */
export class Sessions {
  readonly #open = new Map<string, HttpSession>()
  readonly #options: SessionsOptions
  readonly #idleMs: number
  #reaper: Wakeup | undefined

  constructor(options: SessionsOptions) {
    this.#options = options
    this.#idleMs = options.idleMs ?? SESSION_IDLE_MS
  }

  get size(): number {
    return this.#open.size
  }

  /** A session that is not open yet: it becomes so by {@link add}, once `initialize` has succeeded. */
  draft(): HttpSession {
    return new HttpSession(this.#options.ids.uuid(), this.#options.machine.now())
  }

  add(session: HttpSession): void {
    this.#open.set(session.session, session)
    this.#reaper ??= this.#arm(this.#idleMs)
  }

  /** The open session of that id, marked as used. */
  use(id: string): HttpSession | undefined {
    const session = this.#open.get(id)
    if (session !== undefined) session.usedAt = this.#options.machine.now()
    return session
  }

  remove(session: HttpSession): void {
    this.#open.delete(session.session)
  }

  /** Stops the reaper and hands out what was open. */
  close(): HttpSession[] {
    this.#reaper?.cancel()
    const open = [...this.#open.values()]
    this.#open.clear()
    return open
  }

  #arm(inMs: number): Wakeup {
    return this.#options.machine.wakeAt(this.#options.machine.now() + inMs, () => this.#reap())
  }

  #reap(): void {
    const now = this.#options.machine.now()
    let next = now + this.#idleMs
    for (const session of this.#open.values()) {
      if (!session.idle) session.usedAt = now
      else if (now - session.usedAt >= this.#idleMs) {
        this.remove(session)
        this.#options.onExpired(session)
      } else next = Math.min(next, session.usedAt + this.#idleMs)
    }
    this.#reaper = this.#open.size === 0 ? undefined : this.#arm(next - now)
  }
}
