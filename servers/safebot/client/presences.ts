import { createParser } from 'eventsource-parser'
import type { Clock } from '../../../shared/clock/clock.js'
import { defined } from '../../../shared/util/defined.js'
import { pause } from './retry.js'
import type { ServiceHttp } from './service-http.js'

/** Milliseconds before a new attempt to connect. The wait doubles each time. */
const RETRY_MS = { first: 300, longest: 5_000 } as const

/** A seq after every message, so that the service sends no old messages. */
const NO_REPLAY = Number.MAX_SAFE_INTEGER

/** Part of the event that the service sends when the agent is present in the room. */
const READY = '"type":"ready"'

/** Largest length of the events before that one, in characters. */
const MAX_EVENT_CHARS = 256 * 1024

/** Milliseconds that a call waits for its agent's presence. It then continues without it. */
const SETTLE_MS = 5_000

/** Tracks which agents of this process are present in which rooms of one service. */
export class Presences {
  readonly #http: ServiceHttp
  readonly #machine: Clock
  readonly #rooms = new Map<string, Set<Stay>>()
  #closed = false

  /** @param machine the machine's time */
  constructor(http: ServiceHttp, machine: Clock) {
    this.#http = http
    this.#machine = machine
  }

  /** Makes an agent present in a room, until the returned function is called. */
  join(roomId: string, guise?: Guise): () => void {
    if (this.#closed) return () => undefined
    const stay = new Stay({ http: this.#http, machine: this.#machine, roomId, guise })
    const stays = this.#rooms.get(roomId) ?? new Set()
    this.#rooms.set(roomId, stays.add(stay))
    return () => {
      stay.end()
      stays.delete(stay)
      if (stays.size === 0 && this.#rooms.get(roomId) === stays) this.#rooms.delete(roomId)
    }
  }

  /** Resolves when all agents of a room are connected, or when their attempts have failed. */
  async settled(roomId: string, signal: AbortSignal): Promise<void> {
    const stays = [...(this.#rooms.get(roomId) ?? [])]
    if (stays.every(stay => stay.connected)) return
    const enough = new AbortController()
    const patience = pause(this.#machine, SETTLE_MS, signal, enough.signal)
    await Promise.race([Promise.all(stays.map(stay => stay.settled())), patience])
    enough.abort()
  }

  close(): void {
    this.#closed = true
    for (const stays of this.#rooms.values()) for (const stay of stays) stay.end()
    this.#rooms.clear()
  }
}

/** The name and key that other participants see. */
interface Guise {
  name: string
  /** Base64url, without padding. */
  boxPub: string
}

interface StayOptions {
  http: ServiceHttp
  /** The machine's time. */
  machine: Clock
  roomId: string
  /** Undefined: without a name. */
  guise: Guise | undefined
}

/**
 * The presence of an agent in a room of another service: an open event stream. It opens the room and keeps it
 * open.
 *
 * The events are ignored, because messages are claimed or waited for. A broken stream is opened again until
 * the stay ends.
 */
class Stay {
  readonly #options: StayOptions
  readonly #ended = new AbortController()
  #connected = false
  /** Settles when the current or next attempt succeeds or fails. */
  #decided = new Deferred()
  #hurry = new AbortController()

  constructor(options: StayOptions) {
    this.#options = options
    void this.#run()
  }

  /** Whether the stream is open. */
  get connected(): boolean {
    return this.#connected
  }

  /** Resolves when the current or next attempt succeeds or fails. Starts the next attempt at once. */
  async settled(): Promise<void> {
    if (this.#connected || this.#ended.signal.aborted) return
    this.#hurry.abort()
    await this.#decided.promise
  }

  end(): void {
    this.#ended.abort()
    this.#hurry.abort()
    this.#decided.resolve()
  }

  async #run(): Promise<void> {
    const { machine } = this.#options
    let wait: number = RETRY_MS.first
    while (!this.#ended.signal.aborted) {
      if (await this.#attempt()) wait = RETRY_MS.first
      const decided = this.#decided
      this.#hurry = new AbortController()
      this.#decided = new Deferred()
      this.#connected = false
      decided.resolve()
      if (this.#ended.signal.aborted) return this.end()
      await pause(machine, wait, this.#hurry.signal)
      wait = Math.min(wait * 2, RETRY_MS.longest)
    }
  }

  /** Keeps the stream open until it breaks. Returns whether the agent was present. */
  async #attempt(): Promise<boolean> {
    const { http, roomId, guise } = this.#options
    const decoder = new TextDecoder()
    const parser = createParser({
      maxBufferSize: MAX_EVENT_CHARS,
      onEvent: ({ data }) => {
        if (this.#connected || !data.includes(READY)) return
        this.#connected = true
        this.#decided.resolve()
      },
    })
    try {
      const query = new URLSearchParams({
        after: String(NO_REPLAY),
        ...defined({ name: guise?.name, box_pub: guise?.boxPub }),
      })
      await http.stream(`/api/rooms/${roomId}/events?${query}`, this.#ended.signal, chunk => {
        if (!this.#connected) parser.feed(decoder.decode(chunk, { stream: true }))
      })
    } catch {
      // The call that needs the room reports the error.
    }
    return this.#connected
  }
}

class Deferred {
  resolve: () => void = () => undefined
  readonly promise = new Promise<void>(resolve => {
    this.resolve = resolve
  })
}
