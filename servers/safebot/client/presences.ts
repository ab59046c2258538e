import { createParser } from 'eventsource-parser'
import type { Clock } from '../../../shared/clock/clock.js'
import { defined } from '../../../shared/util/objects.js'
import { pause } from './retry.js'
import type { ServiceHttp } from './service-http.js'

/**
 * Milliseconds before a new attempt to connect. The delay doubles after each failed attempt. The numbers are
 * those of the real client.
 */
const RETRY_DELAY_MS = { first: 300, longest: 5_000 } as const

/** A `seq` higher than that of any message, so that the service sends no buffered messages. */
const NO_REPLAY = Number.MAX_SAFE_INTEGER

/** Text in the `ready` event, which shows that the agent is present in the room. */
const READY = '"type":"ready"'

/** Maximum length of an event before the `ready` event, in characters. */
const MAX_EVENT_CHARS = 256 * 1024

/** Milliseconds that a call waits until its agent is present. The call continues afterwards in any case. */
const MAX_CONNECT_WAIT_MS = 5_000

/** Makes agents of this process present in the rooms of one service. */
export class Presences {
  readonly #http: ServiceHttp
  readonly #machine: Clock
  readonly #rooms = new Map<string, Set<PresenceStream>>()
  #closed = false

  /** @param machine machine time, for delays */
  constructor(http: ServiceHttp, machine: Clock) {
    this.#http = http
    this.#machine = machine
  }

  /**
   * Makes an agent present in a room until the returned function is called.
   *
   * @param participant the name and key that other participants see. Default: the agent is present without a
   *   name
   */
  join(roomId: string, participant?: ParticipantInfo): () => void {
    if (this.#closed) return () => undefined
    const stream = new PresenceStream({ http: this.#http, machine: this.#machine, roomId, participant })
    const streams = this.#rooms.get(roomId) ?? new Set()
    this.#rooms.set(roomId, streams.add(stream))
    return () => {
      stream.end()
      streams.delete(stream)
      if (streams.size === 0 && this.#rooms.get(roomId) === streams) this.#rooms.delete(roomId)
    }
  }

  /**
   * Waits until every agent in a room is connected or has failed to connect, at most
   * {@link MAX_CONNECT_WAIT_MS}.
   *
   * @param signal ends the wait early
   */
  async awaitConnections(roomId: string, signal: AbortSignal): Promise<void> {
    const streams = [...(this.#rooms.get(roomId) ?? [])]
    if (streams.every(stream => stream.connected)) return
    const settled = new AbortController()
    const timeout = pause(this.#machine, MAX_CONNECT_WAIT_MS, signal, settled.signal)
    await Promise.race([Promise.all(streams.map(stream => stream.awaitAttempt())), timeout])
    settled.abort()
  }

  /** Closes all streams. Later calls of `join` do nothing. */
  close(): void {
    this.#closed = true
    for (const streams of this.#rooms.values()) for (const stream of streams) stream.end()
    this.#rooms.clear()
  }
}

/** The name and key that other participants see. */
interface ParticipantInfo {
  name: string
  /** Base64url, without padding. */
  boxPub: string
}

interface PresenceStreamOptions {
  http: ServiceHttp
  /** Machine time, for delays. */
  machine: Clock
  roomId: string
  /** Undefined: the agent is present without a name. */
  participant: ParticipantInfo | undefined
}

/**
 * Makes one agent present in one room of another service by an open event stream. The stream opens the room
 * and pins it.
 *
 * All events after `ready` are ignored, because the tools read messages with other requests. A broken
 * connection is opened again until {@link end} is called.
 */
class PresenceStream {
  readonly #options: PresenceStreamOptions
  readonly #ended = new AbortController()
  #connected = false
  /**
   * Resolves when the current attempt to connect has succeeded or failed. Between two attempts, the next one
   * counts.
   */
  #attemptEnded = new Deferred()
  /** Aborted to start the next attempt without a delay. */
  #skipDelay = new AbortController()

  constructor(options: PresenceStreamOptions) {
    this.#options = options
    void this.#run()
  }

  /** Whether the agent is present now. */
  get connected(): boolean {
    return this.#connected
  }

  /**
   * Resolves when the current attempt to connect has ended. Between two attempts, starts the next one at
   * once.
   */
  async awaitAttempt(): Promise<void> {
    if (this.#connected || this.#ended.signal.aborted) return
    this.#skipDelay.abort()
    await this.#attemptEnded.promise
  }

  /** Closes the connection and makes no further attempt. */
  end(): void {
    this.#ended.abort()
    this.#skipDelay.abort()
    this.#attemptEnded.resolve()
  }

  async #run(): Promise<void> {
    const { machine } = this.#options
    let delayMs: number = RETRY_DELAY_MS.first
    while (!this.#ended.signal.aborted) {
      if (await this.#attempt()) delayMs = RETRY_DELAY_MS.first
      const attemptEnded = this.#attemptEnded
      this.#skipDelay = new AbortController()
      this.#attemptEnded = new Deferred()
      this.#connected = false
      attemptEnded.resolve()
      if (this.#ended.signal.aborted) return this.end()
      await pause(machine, delayMs, this.#skipDelay.signal)
      delayMs = Math.min(delayMs * 2, RETRY_DELAY_MS.longest)
    }
  }

  /** Opens a connection and reads it until it breaks. Returns whether the agent became present. */
  async #attempt(): Promise<boolean> {
    const { http, roomId, participant } = this.#options
    const decoder = new TextDecoder()
    const parser = createParser({
      maxBufferSize: MAX_EVENT_CHARS,
      onEvent: ({ data }) => {
        if (this.#connected || !data.includes(READY)) return
        this.#connected = true
        this.#attemptEnded.resolve()
      },
    })
    try {
      const query = new URLSearchParams({
        after: String(NO_REPLAY),
        ...defined({ name: participant?.name, box_pub: participant?.boxPub }),
      })
      await http.stream(`/api/rooms/${roomId}/events?${query}`, this.#ended.signal, chunk => {
        if (!this.#connected) parser.feed(decoder.decode(chunk, { stream: true }))
      })
    } catch {
      // This error is not reported. A tool call that uses the room fails with an error of its own.
    }
    return this.#connected
  }
}

/** A promise and the function that resolves it. */
class Deferred {
  resolve: () => void = () => undefined
  readonly promise = new Promise<void>(resolve => {
    this.resolve = resolve
  })
}
