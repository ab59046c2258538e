import type { Clock, Wakeup } from '../../../../../shared/clock/clock.js'
import { withinLimit } from '../../../../../shared/clock/within-limit.js'
import type { EngineState } from '../engine/channel.js'
import type { Engine } from '../engine/engine.js'
import { type Frame, frame } from '../wire/frames.js'
import { HiddenAnswers } from './batch-answers.js'

/**
 * Bytes of log after which a checkpoint is due. Without it the log would grow without end. A checkpoint takes
 * 3 to 30 ms.
 */
const LOG_BYTES = 4 * 1024 * 1024

/** Bytes written since the last vacuum after which an idle session vacuums. */
const WRITTEN_BYTES = 1024 * 1024

/** Share of its quota from which a database is vacuumed sooner. Otherwise dead rows would fill it. */
const NEAR_QUOTA = 0.8

/**
 * Bytes written that make such a vacuum due: the leftovers of a few statements, or a share of the quota if
 * that is more.
 */
const WRITTEN_NEAR_QUOTA = 256 * 1024

const WRITTEN_SHARE = 0.02

/**
 * Tracks the work since the last checkpoint and vacuum. The engine has no background processes, so the
 * session does both.
 */
class Housekeeping {
  #logged = 0
  #written = 0

  checkpointDue(state: EngineState): boolean {
    return state.logged - this.#logged > LOG_BYTES
  }

  /** Returns whether a vacuum is due before the session is idle. */
  vacuumUrgent(state: EngineState, maxBytes: number): boolean {
    const enough = Math.max(WRITTEN_NEAR_QUOTA, WRITTEN_SHARE * maxBytes)
    return state.size > NEAR_QUOTA * maxBytes && state.written - this.#written > enough
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

  /** Starts again at zero, for a new engine. */
  reset(): void {
    this.#logged = 0
    this.#written = 0
  }
}

/** The engine's own superuser. The role of the owner is set for every batch of a client. */
const ENGINE_USER = 'postgres'

export interface EngineLifecycleOptions {
  machine: Clock
  /** Milliseconds that opening or closing the engine may take. */
  openingLimitMs: number
  /** Opens the engine on the database's directory. Aborting the signal ends the attempt. */
  open(signal: AbortSignal): Promise<Engine>
  /** The owner's role. */
  user: string
  onNotification(notification: Frame): void
  /** Called when the engine ends without having been asked to. */
  onLost(error: Error): void
  /** Called before a new engine is used. Returns SQL to run first, or an empty string. */
  prepare(): string
}

/**
 * Opens and closes a session's engine, and runs the session's own statements in it. The caller must have the
 * session lock.
 */
export class EngineLifecycle {
  readonly #options: EngineLifecycleOptions
  readonly #housekeeping = new Housekeeping()
  #engine: Engine | undefined
  #opening: Promise<Engine> | undefined
  #closing: Promise<void> = Promise.resolve()
  /** Aborted when the database is closed for good. */
  readonly #end = new AbortController()

  constructor(options: EngineLifecycleOptions) {
    this.#options = options
  }

  get engine(): Engine | undefined {
    return this.#engine
  }

  /** Whether the engine is being opened. */
  get opening(): boolean {
    return this.#opening !== undefined
  }

  /**
   * Returns the engine, and opens it first if it is closed.
   *
   * All callers share one attempt to open it. The attempt goes on when a caller gives up, so that a client
   * that retries with a short time-out finds the database open in the end.
   *
   * @throws LimitExceeded, or the error of the engine
   */
  async ensureOpen(): Promise<Engine> {
    if (this.#engine !== undefined) return this.#engine
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined
    })
    return await this.#opening
  }

  #open(): Promise<Engine> {
    const { machine, openingLimitMs: ms } = this.#options
    const limit = { machine, ms, what: 'opening the database', signal: this.#end.signal }
    return withinLimit(limit, async signal => {
      // Two engines on one directory would not notice each other. So this one waits until the last one has
      // ended.
      const opened = this.#closing.then(() => this.#openAndAdopt(signal))
      this.#closing = opened.then(ignoreOutcome, ignoreOutcome)
      return await opened
    })
  }

  async #openAndAdopt(signal: AbortSignal): Promise<Engine> {
    signal.throwIfAborted()
    const engine = await this.#options.open(signal)
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
   * Takes over an engine that is already open.
   *
   * @throws Error if the engine ends or the signal is aborted. The caller then keeps the engine.
   */
  async adopt(engine: Engine, signal?: AbortSignal): Promise<Engine> {
    this.#housekeeping.reset()
    engine.onLost = error => {
      if (this.#engine === engine) this.#engine = undefined
      this.#options.onLost(error)
    }
    await this.#ask(engine, this.#setOwnerSql, this.#options.prepare())
    signal?.throwIfAborted()
    this.#engine = engine
    return engine
  }

  /**
   * Runs statements under the current role of the session, one message each. Returns their answers together.
   */
  async ask(...sql: string[]): Promise<HiddenAnswers> {
    return await this.#ask(await this.ensureOpen(), ...sql)
  }

  /** Resets the session to the state that a new session of the owner has. */
  async resetSession(): Promise<HiddenAnswers> {
    return await this.ask(`RESET ALL;${this.#setOwnerSql}`)
  }

  /** Runs statements as superuser. Afterwards the session has the state of a new session of the owner. */
  async asSuperuser(...sql: string[]): Promise<HiddenAnswers> {
    return await this.ask(
      `RESET ALL; SET SESSION AUTHORIZATION ${ENGINE_USER}; SET statement_timeout = 0`,
      ...sql,
      `RESET ALL;${this.#setOwnerSql}`,
    )
  }

  /**
   * Returns whether a vacuum or a checkpoint is due.
   *
   * @param maxBytes the largest size that the files may reach, in bytes
   * @param idle true if no client waits, so that less urgent work is due too
   */
  cleaningDue(maxBytes: number, idle: boolean): boolean {
    const state = this.#engine?.state
    return (
      state !== undefined &&
      (this.#vacuumDue(state, maxBytes, idle) || this.#housekeeping.checkpointDue(state))
    )
  }

  /** Runs the vacuum or checkpoint that is due. Afterwards the session has the state of a new session. */
  async clean(maxBytes: number, idle: boolean): Promise<void> {
    const engine = this.#engine
    if (engine === undefined) return
    const vacuum = this.#vacuumDue(engine.state, maxBytes, idle)
    await this.asSuperuser(...(vacuum ? ['VACUUM (ANALYZE)'] : []), 'CHECKPOINT')
    if (vacuum) this.#housekeeping.vacuumed(engine.state)
    this.#housekeeping.checkpointed(engine.state)
  }

  #vacuumDue(state: EngineState, maxBytes: number, idle: boolean): boolean {
    return this.#housekeeping.vacuumUrgent(state, maxBytes) || (idle && this.#housekeeping.vacuumDue(state))
  }

  /**
   * Runs `work` while the files are complete and do not change. An open engine first writes a checkpoint and
   * then gets no work. A closed engine stays closed.
   *
   * @param fresh resets the session, which is a new session afterwards
   * @param signal ends an engine that does not finish its checkpoint. It is passed to `work`.
   */
  async quiesce<T>(
    work: (signal: AbortSignal) => Promise<T>,
    fresh: () => Promise<void>,
    signal: AbortSignal,
  ): Promise<T> {
    if (this.#engine === undefined && this.#opening === undefined) {
      const running = this.#closing.then(() => work(signal))
      this.#closing = running.then(ignoreOutcome, ignoreOutcome)
      return await running
    }
    const engine = await this.ensureOpen()
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

  /** Closes the engine. The files of the database stay. */
  async close(): Promise<void> {
    const engine = this.#release()
    if (engine !== undefined) this.#closing = this.#endEngine(engine)
    await this.#closing
  }

  /** Committed data is in the log on disk, so an engine that does not close may be ended. */
  async #endEngine(engine: Engine): Promise<void> {
    const { machine, openingLimitMs: ms } = this.#options
    await withinLimit({ machine, ms, what: 'closing the database' }, () => engine.end()).catch(() =>
      engine.kill(),
    )
  }

  /** Ends the engine for good, even during a statement. An attempt to open it is aborted. */
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
      size => engine.outputTaken(size),
      notification => this.#options.onNotification(notification),
    )
    const messages = sql.filter(text => text !== '').map(text => frame('Q', text))
    await engine.run(Buffer.concat(messages), Number.POSITIVE_INFINITY, answers)
    return answers
  }

  get #setOwnerSql(): string {
    return `SET SESSION AUTHORIZATION ${this.#options.user}`
  }
}

function ignoreOutcome(): void {}

interface Waiting<Holder> {
  caller: Holder
  resolve(): void
  reject(reason: Error): void
  deadline: Wakeup | undefined
}

/** Thrown to a caller that has waited too long for the lock. */
export class LockTimeout extends Error {}

/** Lock for the one session. Callers get it in order of arrival, and keep it until `pass`. */
export class SessionLock<Holder> {
  #holder: Holder | undefined
  readonly #waiting: Waiting<Holder>[] = []

  /**
   * @param suspended while it returns true no wait times out, because the holder is not the cause of the delay
   */
  constructor(
    readonly machine: Clock,
    readonly suspended: () => boolean = () => false,
  ) {}

  get holder(): Holder | undefined {
    return this.#holder
  }

  get free(): boolean {
    return this.#holder === undefined
  }

  /**
   * Resolves when `caller` has the lock. A caller that already has it gets it at once.
   *
   * @param limitMs milliseconds to wait. Undefined means without limit.
   * @throws WaitedTooLong, or the reason that was passed to `forget`
   */
  acquire(caller: Holder, limitMs?: number): Promise<void> {
    if (this.#holder === caller) return Promise.resolve()
    if (this.#holder === undefined) {
      this.#holder = caller
      return Promise.resolve()
    }
    return new Promise((resolve, reject) => {
      const waiting: Waiting<Holder> = { caller, resolve, reject, deadline: undefined }
      this.#waiting.push(waiting)
      if (limitMs !== undefined) this.#startTimeout(waiting, limitMs)
    })
  }

  #startTimeout(waiting: Waiting<Holder>, limitMs: number): void {
    waiting.deadline = this.machine.wakeAt(this.machine.now() + limitMs, () => {
      if (this.suspended()) this.#startTimeout(waiting, limitMs)
      else this.stopWaiting(waiting.caller, new LockTimeout())
    })
  }

  /** Passes the lock to the caller that has waited longest. */
  release(): void {
    const next = this.#waiting.shift()
    this.#holder = next?.caller
    next?.deadline?.cancel()
    next?.resolve()
  }

  /** Removes `caller` from the queue. @returns whether `caller` was waiting */
  stopWaiting(caller: Holder, reason: Error): boolean {
    const at = this.#waiting.findIndex(waiting => waiting.caller === caller)
    const [waiting] = at < 0 ? [] : this.#waiting.splice(at, 1)
    waiting?.deadline?.cancel()
    waiting?.reject(reason)
    return waiting !== undefined
  }
}
