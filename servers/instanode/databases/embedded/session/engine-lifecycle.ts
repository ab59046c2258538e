import type { Clock, Wakeup } from '../../../../../shared/clock/clock.js'
import { withinLimit } from '../../../../../shared/clock/within-limit.js'
import type { EngineState } from '../engine/channel.js'
import type { Engine } from '../engine/engine.js'
import { type Frame, frame } from '../wire/frames.js'
import { HiddenAnswers } from './batch-answers.js'

/**
 * Bytes written to the log after which a checkpoint is due. Without checkpoints, the log would grow without
 * end. A checkpoint takes 3 to 30 ms (measured).
 */
const LOG_BYTES = 4 * 1024 * 1024

/** Bytes written since the last vacuum after which a vacuum is due in an idle session. */
const WRITTEN_BYTES = 1024 * 1024

/**
 * Share of `maxBytes` above which a vacuum does not wait until the session is idle. Otherwise dead rows would
 * fill the database.
 */
const NEAR_QUOTA = 0.8

/**
 * Bytes written since the last vacuum that make such a vacuum due: 256 KB, or 2 % of `maxBytes` if that is
 * more.
 */
const WRITTEN_NEAR_QUOTA = 256 * 1024

const WRITTEN_SHARE = 0.02

/**
 * Decides when a checkpoint or a vacuum is due. The engine has no background processes, so the session runs
 * both.
 */
class Housekeeping {
  #logged = 0
  #written = 0

  checkpointDue(state: EngineState): boolean {
    return state.logged - this.#logged > LOG_BYTES
  }

  /**
   * Returns whether a vacuum is due even if the session is not idle.
   *
   * @param maxBytes the largest size that the files may reach, in bytes
   */
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

  /** Starts to count from 0. Call it for a new engine, whose state also starts at 0. */
  reset(): void {
    this.#logged = 0
    this.#written = 0
  }
}

/** The superuser of the engine, which opens the session. Clients work under the owner's role. */
const ENGINE_USER = 'postgres'

export interface EngineLifecycleOptions {
  machine: Clock
  /** Milliseconds in which the engine must open or close. */
  openingLimitMs: number
  /** Opens an engine on the files of the database. @param signal ends the attempt when it is aborted */
  open(signal: AbortSignal): Promise<Engine>
  /** The role of the owner. */
  user: string
  onNotification(notification: Frame): void
  /** Called when the engine ends unexpectedly. */
  onLost(error: Error): void
  /** Called before a new engine is used. @returns SQL to run in it first, or an empty string */
  prepare(): string
}

/**
 * Opens and closes the engine of a session, and runs the session's own statements in it. Callers must have
 * the session lock, except for `ensureOpen`, `adopt` and `kill`.
 */
export class EngineLifecycle {
  readonly #options: EngineLifecycleOptions
  readonly #housekeeping = new Housekeeping()
  #engine: Engine | undefined
  #opening: Promise<Engine> | undefined
  #closing: Promise<void> = Promise.resolve()
  /** Aborted by {@link kill}, when the database is closed for good. */
  readonly #end = new AbortController()

  constructor(options: EngineLifecycleOptions) {
    this.#options = options
  }

  get engine(): Engine | undefined {
    return this.#engine
  }

  /** True while an engine is being opened. */
  get opening(): boolean {
    return this.#opening !== undefined
  }

  /**
   * Returns the engine, and opens it first if it is closed.
   *
   * Concurrent callers share one attempt to open the engine. The attempt continues when a caller gives up. So
   * a client that retries with a short time-out finds the engine open in the end.
   *
   * @throws LimitExceeded if the engine does not open in time, or the error of the engine
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
      // Two engines on the same files would corrupt the database,
      // so this one waits until the last one has ended.
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
   * Uses an engine that is already open.
   *
   * @throws Error if the engine ends or the signal is aborted. The caller must then end the engine.
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
   * Runs statements under the current role of the session, each as one Query message.
   *
   * @returns all answers together
   */
  async ask(...sql: string[]): Promise<HiddenAnswers> {
    return await this.#ask(await this.ensureOpen(), ...sql)
  }

  /** Resets the settings and the role of the session to those of a new session of the owner. */
  async resetSession(): Promise<HiddenAnswers> {
    return await this.ask(`RESET ALL;${this.#setOwnerSql}`)
  }

  /**
   * Runs statements as superuser. Afterwards the session has the settings and the role of a new session of
   * the owner.
   */
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
   * @param idle true if no client waits, so that a vacuum that is not urgent is due too
   */
  cleaningDue(maxBytes: number, idle: boolean): boolean {
    const state = this.#engine?.state
    return (
      state !== undefined &&
      (this.#vacuumDue(state, maxBytes, idle) || this.#housekeeping.checkpointDue(state))
    )
  }

  /**
   * Runs the vacuum that is due, and a checkpoint. Afterwards the session has the settings and the role of a
   * new session.
   */
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
   * Runs `work` while the files on disk are complete and do not change. An open engine first writes a
   * checkpoint. A closed engine stays closed.
   *
   * @param fresh saves the settings of the current client and resets the session
   * @param signal terminates the engine if it is aborted during the checkpoint. `work` receives it too.
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

  /** Closes the engine. The files of the database stay, and the next batch opens an engine again. */
  async close(): Promise<void> {
    const engine = this.#release()
    if (engine !== undefined) this.#closing = this.#endEngine(engine)
    await this.#closing
  }

  /**
   * Ends an engine in an orderly way. Terminates it if that takes too long, which loses no data, because
   * committed data is in the log on disk.
   */
  async #endEngine(engine: Engine): Promise<void> {
    const { machine, openingLimitMs: ms } = this.#options
    await withinLimit({ machine, ms, what: 'closing the database' }, () => engine.end()).catch(() =>
      engine.kill(),
    )
  }

  /** Terminates the engine for good, even during a statement. Aborts an attempt to open one. */
  async kill(): Promise<void> {
    this.#end.abort(new Error('the database was closed'))
    await this.#release()?.kill()
    await this.#closing
  }

  /** Gives the engine up without ending it. Its end is no longer reported as unexpected. */
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

/** Thrown to a caller that has waited too long for the session lock. */
export class LockTimeout extends Error {}

/** Lock of a session. Callers acquire it in the order in which they ask, and keep it until `release`. */
export class SessionLock<Holder> {
  #holder: Holder | undefined
  readonly #waiting: Waiting<Holder>[] = []

  /**
   * @param suspended while it returns true, no wait times out. The session uses it while the engine opens,
   *   because no client causes that delay.
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
   * Acquires the lock. Resolves when `caller` has it, at once if `caller` already has it.
   *
   * @param limitMs milliseconds to wait. Undefined: no limit.
   * @throws LockTimeout after `limitMs`, or the reason that was passed to {@link stopWaiting}
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

  /** Releases the lock. The caller that has waited longest acquires it. */
  release(): void {
    const next = this.#waiting.shift()
    this.#holder = next?.caller
    next?.deadline?.cancel()
    next?.resolve()
  }

  /**
   * Ends the wait of `caller` with an error.
   *
   * @param reason the error
   * @returns false if `caller` was not waiting
   */
  stopWaiting(caller: Holder, reason: Error): boolean {
    const at = this.#waiting.findIndex(waiting => waiting.caller === caller)
    const [waiting] = at < 0 ? [] : this.#waiting.splice(at, 1)
    waiting?.deadline?.cancel()
    waiting?.reject(reason)
    return waiting !== undefined
  }
}
