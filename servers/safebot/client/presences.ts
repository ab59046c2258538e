import { createParser } from 'eventsource-parser'
import type { Clock } from '../../../shared/clock/clock.js'
import { defined } from '../../../shared/util/defined.js'
import { pause } from './retry.js'
import type { ServiceHttp } from './service-http.js'

/** Between attempts to connect: twice as long after each. */
const RETRY_MS = { first: 300, longest: 5_000 } as const

/** Behind every message there will be: the service is not to send what has been said already. */
const NO_REPLAY = Number.MAX_SAFE_INTEGER

/** What the service sends once somebody is in the room. */
const READY = '"type":"ready"'

/** The most characters of one event before that one. */
const MAX_EVENT_CHARS = 256 * 1024

/** How long a call waits for its agent to be in the room, before it goes on without. */
const SETTLE_MS = 5_000

/** Who of this process is present in which room of one service. */
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

  /** Somebody is in a room, or tries to be, until the returned function is called. */
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

  /** Resolves once those who are to be in a room are, or it is clear that they cannot be for now. */
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

/** What the others in a room are to see of an agent. */
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
  /** None: somebody without a name. */
  guise: Guise | undefined
}

/**
 * Being present in a room of a service far away, by holding its event stream open. That opens the room, and keeps it.
 *
 * What the stream tells is let go: messages are claimed or waited for. A stream that breaks off is opened
 * again, until the stay ends.
 */
class Stay {
  readonly #options: StayOptions
  readonly #ended = new AbortController()
  #connected = false
  /** Of the present or next attempt: whether it has succeeded or failed. */
  #decided = new Deferred()
  #hurry = new AbortController()

  constructor(options: StayOptions) {
    this.#options = options
    void this.#run()
  }

  /** Whether it is in the room now. */
  get connected(): boolean {
    return this.#connected
  }

  /** Resolves once the present or next attempt to connect has succeeded or failed; makes that come at once. */
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

  /** Holds the stream open as long as it lasts; tells whether it got as far as being in the room. */
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
      // The call that needs the room says what is wrong with the service.
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
