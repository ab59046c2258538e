import type { Clock, Wakeup } from '../../../../../shared/clock/clock.js'
import { withinLimit } from '../../../../../shared/clock/within-limit.js'
import type { EngineState } from '../engine/channel.js'
import type { Engine } from '../engine/engine.js'
import { type Frame, frame } from '../wire/frames.js'
import { HiddenAnswers } from './batch-answers.js'

/** The log is written out when this much has gathered: it would grow without end, and a checkpoint takes 3 to 30 ms. */
const LOG_BYTES = 4 * 1024 * 1024

/** Data written since the last vacuum that make one worth its while when nothing else is going on. */
const WRITTEN_BYTES = 1024 * 1024

/** Near its quota a database is vacuumed sooner, or dead rows would fill it: from this share of it on … */
const NEAR_QUOTA = 0.8

/** … whenever so much was written: the size of the leftovers of a few statements, or a share that grows with the work. */
const WRITTEN_NEAR_QUOTA = 256 * 1024

const WRITTEN_SHARE = 0.02

/** What has piled up since the last cleaning. An engine without background processes leaves it all to its gateway. */
class Housekeeping {
  #logged = 0
  #written = 0

  checkpointDue(state: EngineState): boolean {
    return state.logged - this.#logged > LOG_BYTES
  }

  /** May not wait until the session is idle. */
  vacuumUrgent(state: EngineState, most: number): boolean {
    const enough = Math.max(WRITTEN_NEAR_QUOTA, WRITTEN_SHARE * most)
    return state.size > NEAR_QUOTA * most && state.written - this.#written > enough
  }

  vacuumDue(state: EngineState): boolean {
    return state.written - this.#written > WRITTEN_BYTES
  }

  checkpointed(state: EngineState): void {
    this.#logged = state.logged
  }

  vacuumed(state: EngineState): void {
    this.#written = state.written
  }

  /** A new engine counts from nothing. */
  reset(): void {
    this.#logged = 0
    this.#written = 0
  }
}

/** The engine's own superuser; a client's role is put on for every batch of a client's. */
const ENGINE_USER = 'postgres'

export interface RoomKeeper {
  machine: Clock
  /** Milliseconds that opening the engine may take, and closing it. */
  openingLimitMs: number
  /** Opens the engine on the database's directory. Aborting the signal ends the attempt. */
  open(signal: AbortSignal): Promise<Engine>
  /** The owner's role. */
  user: string
  notified(notification: Frame): void
  /** The engine is gone without having been asked to. */
  lost(error: Error): void
  /** A fresh engine is about to be used: SQL to run first, if any. */
  prepare(): string
}

/** Opens and closes a session's engine, and runs the gateway's own statements in it. Only for who has the turn. */
export class EngineRoom {
  readonly #keeper: RoomKeeper
  readonly #housekeeping = new Housekeeping()
  #engine: Engine | undefined
  #opening: Promise<Engine> | undefined
  #closing: Promise<void> = Promise.resolve()
  /** Aborted when the database goes for good. */
  readonly #end = new AbortController()

  constructor(keeper: RoomKeeper) {
    this.#keeper = keeper
  }

  get engine(): Engine | undefined {
    return this.#engine
  }

  /** Whether the engine is being opened. */
  get opening(): boolean {
    return this.#opening !== undefined
  }

  /**
   * The engine, opened if need be. All callers share one attempt, which goes on when a caller gives up: a client that
   * retries with a short time-out finds the database open in the end.
   *
   * @throws LimitExceeded, or the error of the engine
   */
  async awake(): Promise<Engine> {
    if (this.#engine !== undefined) return this.#engine
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined
    })
    return await this.#opening
  }

  #open(): Promise<Engine> {
    const { machine, openingLimitMs: ms } = this.#keeper
    const limit = { machine, ms, what: 'opening the database', signal: this.#end.signal }
    return withinLimit(limit, async signal => {
      // Two engines on one directory would not notice each other: this one waits for the last to end.
      const opened = this.#closing.then(() => this.#openAndAdopt(signal))
      this.#closing = opened.then(nothing, nothing)
      return await opened
    })
  }

  async #openAndAdopt(signal: AbortSignal): Promise<Engine> {
    signal.throwIfAborted()
    const engine = await this.#keeper.open(signal)
    const kill = () => void engine.kill()
    signal.addEventListener('abort', kill, { once: true })
    try {
      return await this.adopt(engine, signal)
    } catch (error) {
      await engine.kill()
      throw error
    } finally {
      signal.removeEventListener('abort', kill)
    }
  }

  /**
   * Takes over an engine that is open already.
   *
   * @throws Error if the engine ends, or the signal is aborted. The engine is the caller's then.
   */
  async adopt(engine: Engine, signal?: AbortSignal): Promise<Engine> {
    this.#housekeeping.reset()
    engine.onLost = error => {
      if (this.#engine === engine) this.#engine = undefined
      this.#keeper.lost(error)
    }
    await this.#ask(engine, this.#becomeOwner, this.#keeper.prepare())
    signal?.throwIfAborted()
    this.#engine = engine
    return engine
  }

  /** Runs statements as whoever the session is now, one message each; their answers together. */
  async ask(...sql: string[]): Promise<HiddenAnswers> {
    return await this.#ask(await this.awake(), ...sql)
  }

  /** Back to a fresh session of the owner's. */
  async resetSession(): Promise<HiddenAnswers> {
    return await this.ask(`RESET ALL;${this.#becomeOwner}`)
  }

  /** Statements as superuser; the session is a fresh one of the owner's afterwards. */
  async asSuperuser(...sql: string[]): Promise<HiddenAnswers> {
    return await this.ask(
      `RESET ALL; SET SESSION AUTHORIZATION ${ENGINE_USER}; SET statement_timeout = 0`,
      ...sql,
      `RESET ALL;${this.#becomeOwner}`,
    )
  }

  /**
   * Is there work for the background processes that the engine does not have?
   *
   * @param most how large the files may become
   * @param idle nobody waits: the time for what can be put off
   */
  cleaningDue(most: number, idle: boolean): boolean {
    const state = this.#engine?.state
    return (
      state !== undefined && (this.#vacuumDue(state, most, idle) || this.#housekeeping.checkpointDue(state))
    )
  }

  /** Does that work. The session is a fresh one afterwards. */
  async clean(most: number, idle: boolean): Promise<void> {
    const engine = this.#engine
    if (engine === undefined) return
    const vacuum = this.#vacuumDue(engine.state, most, idle)
    await this.asSuperuser(...(vacuum ? ['VACUUM (ANALYZE)'] : []), 'CHECKPOINT')
    if (vacuum) this.#housekeeping.vacuumed(engine.state)
    this.#housekeeping.checkpointed(engine.state)
  }

  #vacuumDue(state: EngineState, most: number, idle: boolean): boolean {
    return this.#housekeeping.vacuumUrgent(state, most) || (idle && this.#housekeeping.vacuumDue(state))
  }

  /**
   * Runs `work` while the files are complete and nobody writes to them. An engine that is open has written all it knows of
   * and is not given anything to do; one that is closed is not opened.
   *
   * @param fresh makes the session a fresh one, which it is afterwards
   * @param signal ends an engine that does not finish its checkpoint. The work is passed it.
   */
  async still<T>(
    work: (signal: AbortSignal) => Promise<T>,
    fresh: () => Promise<void>,
    signal: AbortSignal,
  ): Promise<T> {
    if (this.#engine === undefined && this.#opening === undefined) {
      const running = this.#closing.then(() => work(signal))
      this.#closing = running.then(nothing, nothing)
      return await running
    }
    const engine = await this.awake()
    const abort = () => engine.abort()
    signal.addEventListener('abort', abort, { once: true })
    try {
      await fresh()
      await this.asSuperuser('CHECKPOINT')
    } finally {
      signal.removeEventListener('abort', abort)
    }
    signal.throwIfAborted()
    return await work(signal)
  }

  /** Closes the database; its files stay. */
  async sleep(): Promise<void> {
    const engine = this.#release()
    if (engine !== undefined) this.#closing = this.#close(engine)
    await this.#closing
  }

  /** What was committed is in the log on disk, so an engine that does not close may be ended. */
  async #close(engine: Engine): Promise<void> {
    const { machine, openingLimitMs: ms } = this.#keeper
    await withinLimit({ machine, ms, what: 'closing the database' }, () => engine.end()).catch(() =>
      engine.kill(),
    )
  }

  /** Ends the engine whatever it does, for good. An opening under way is given up. */
  async kill(): Promise<void> {
    this.#end.abort(new Error('the database is gone'))
    await this.#release()?.kill()
    await this.#closing
  }

  #release(): Engine | undefined {
    const engine = this.#engine
    if (engine !== undefined) engine.onLost = () => {}
    this.#engine = undefined
    return engine
  }

  async #ask(engine: Engine, ...sql: string[]): Promise<HiddenAnswers> {
    const answers = new HiddenAnswers(
      size => engine.taken(size),
      notification => this.#keeper.notified(notification),
    )
    const messages = sql.filter(text => text !== '').map(text => frame('Q', text))
    await engine.run(Buffer.concat(messages), Number.POSITIVE_INFINITY, answers)
    return answers
  }

  get #becomeOwner(): string {
    return `SET SESSION AUTHORIZATION ${this.#keeper.user}`
  }
}

function nothing(): void {}

interface Waiting<Who> {
  who: Who
  go(): void
  refuse(reason: Error): void
  deadline: Wakeup | undefined
}

/** Thrown to who has waited too long. */
export class WaitedTooLong extends Error {}

/** Who may use the one session. First come, first served; whoever has it keeps it until `pass`. */
export class Turn<Who> {
  #holder: Who | undefined
  readonly #waiting: Waiting<Who>[] = []

  /** @param excused while it is true no wait times out, because the holder is not what is slow */
  constructor(
    readonly machine: Clock,
    readonly excused: () => boolean = () => false,
  ) {}

  get holder(): Who | undefined {
    return this.#holder
  }

  get free(): boolean {
    return this.#holder === undefined
  }

  /**
   * Resolves when it is `who`'s turn; at once for who has it already.
   *
   * @param patience milliseconds, or undefined to wait for ever
   * @throws WaitedTooLong, or what `forget` was given
   */
  take(who: Who, patience?: number): Promise<void> {
    if (this.#holder === who) return Promise.resolve()
    if (this.#holder === undefined) {
      this.#holder = who
      return Promise.resolve()
    }
    return new Promise((resolve, reject) => {
      const waiting: Waiting<Who> = { who, go: resolve, refuse: reject, deadline: undefined }
      this.#waiting.push(waiting)
      if (patience !== undefined) this.#limit(waiting, patience)
    })
  }

  #limit(waiting: Waiting<Who>, patience: number): void {
    waiting.deadline = this.machine.wakeAt(this.machine.now() + patience, () => {
      if (this.excused()) this.#limit(waiting, patience)
      else this.forget(waiting.who, new WaitedTooLong())
    })
  }

  /** Hands over to who has waited longest. */
  pass(): void {
    const next = this.#waiting.shift()
    this.#holder = next?.who
    next?.deadline?.cancel()
    next?.go()
  }

  /** @returns whether `who` was waiting; it no longer is */
  forget(who: Who, reason: Error): boolean {
    const at = this.#waiting.findIndex(waiting => waiting.who === who)
    const [waiting] = at < 0 ? [] : this.#waiting.splice(at, 1)
    waiting?.deadline?.cancel()
    waiting?.refuse(reason)
    return waiting !== undefined
  }
}
