import type { Wakeup } from '../../../../../shared/clock/clock.js'
import { LimitExceeded, withinLimit } from '../../../../../shared/clock/within-limit.js'
import type { Engine } from '../engine/engine.js'
import type { PgError } from '../wire/answers.js'
import { type Frame, frame } from '../wire/frames.js'
import { ActiveSettings } from './active-settings.js'
import { answerBackendCalls } from './backend-calls.js'
import { BatchAnswers } from './batch-answers.js'
import { Channels, notifyListeners } from './channels.js'
import type { ClientSession } from './client-session.js'
import { EngineLifecycle, SessionLock } from './engine-lifecycle.js'
import {
  type BusyReason,
  CANCELLED,
  Cancelled,
  Interruption,
  lockNotAcquired,
  notOpened,
  RESTARTED,
  TERMINATED,
} from './interruption.js'
import type { SessionOptions } from './session-options.js'
import { onlyFreesSpace, withoutUserChange } from './statements.js'

/**
 * The PostgreSQL session of an embedded database. All clients of the database share it.
 *
 * An engine has a single session. A client acquires the session lock for each batch, and keeps the lock while
 * its transaction or its batch is open. When another client acquires the lock, its settings are applied
 * first. `databases/README.md` says what else is switched from one client to the next.
 */
export class Session {
  /** The largest size that the database's files may reach, in bytes. */
  maxBytes = Number.POSITIVE_INFINITY
  readonly #options: SessionOptions
  readonly #lifecycle: EngineLifecycle
  readonly #lock: SessionLock<object>
  readonly #clients = new Set<ClientSession>()
  readonly #channels = new Channels<ClientSession>()
  readonly #settings: ActiveSettings
  #running: { client: ClientSession; interruption: Interruption } | undefined
  /** Status after the lock holder's last batch: `I`, `T` or `E`. Undefined: the batch had no Sync yet. */
  #status: string | undefined = 'I'
  /** Clients with a batch in progress. The batch waits for the lock, runs, or releases the lock. */
  readonly #executing = new Set<ClientSession>()
  /** Clients whose batch was cancelled before it reached the engine. */
  readonly #cancelled = new Set<ClientSession>()
  #idleWork: Wakeup | undefined
  #closed = false

  constructor(options: SessionOptions) {
    this.#options = options
    this.#lock = new SessionLock(options.machine, () => this.#lifecycle.opening)
    this.#lifecycle = new EngineLifecycle({
      machine: options.machine,
      openingLimitMs: options.times.openingLimitMs,
      open: signal => options.open(signal),
      user: options.user,
      onNotification: notification => notifyListeners(this.#channels, notification, undefined),
      onLost: () => this.#onEngineLost(),
      prepare: () => this.#forgetEngineState(),
    })
    this.#settings = new ActiveSettings(this.#lifecycle, () => this.#forgetEngineState())
  }

  get connections(): number {
    return this.#clients.size
  }

  get awake(): boolean {
    return this.#lifecycle.engine !== undefined
  }

  /** Uses an engine that is already open on the database. */
  async adopt(engine: Engine): Promise<void> {
    await this.#lifecycle.adopt(engine)
    this.#scheduleIdleWork()
  }

  /**
   * Adds a client to the session, and opens the engine.
   *
   * @returns ParameterStatus messages for the client
   * @throws LimitExceeded if the engine does not open in time, or the error of the engine
   */
  async admit(client: ClientSession): Promise<Buffer> {
    this.#clients.add(client)
    this.#idleWork?.cancel()
    // No lock is needed. A pool may open its second connection while the first one is in a transaction.
    const { parameterStatuses } = await this.#lifecycle.ensureOpen()
    // If all clients have disconnected in the meantime, the engine must be closed later.
    if (this.#clients.size === 0) this.#scheduleIdleWork()
    return parameterStatuses
  }

  /** Runs a client's batch under the session lock. Never rejects, because errors are sent to the client. */
  async execute(client: ClientSession, batch: readonly Frame[]): Promise<void> {
    const answers = answerBackendCalls(batch, {
      statements: client.statements,
      status: this.#lock.holder === client ? this.#status : 'I',
      pid: client.pid,
      signal: (pid, terminate) => this.#signal(pid, terminate),
    })
    if (answers !== undefined) {
      client.send(answers)
      return
    }
    this.#executing.add(client)
    await this.#executeLocked(client, batch)
    this.#executing.delete(client)
    this.#cancelled.delete(client)
    if (!this.#clients.has(client)) await this.#removeClient(client)
  }

  /** Acquires the lock and runs the batch. Keeps the lock while a transaction or the batch is open. */
  async #executeLocked(client: ClientSession, batch: readonly Frame[]): Promise<void> {
    try {
      await this.#lock.acquire(client, this.#options.times.waitLimitMs)
    } catch (error) {
      client.refuse(lockNotAcquired(error, this.#options.times.waitLimitMs, this.#busyReason))
      return
    }
    let keepsLock = true
    try {
      this.#idleWork?.cancel()
      const engine = await this.#lifecycle.ensureOpen()
      keepsLock = await this.#settings.apply(client)
      if (this.#cancelled.delete(client)) {
        client.refuse(CANCELLED)
        keepsLock = false
      }
      // The batch of a disconnected client is not run, because a COPY in it would wait for data for ever.
      if (keepsLock && !client.disconnected)
        keepsLock = await this.#run(engine, client, batch.map(withoutUserChange))
      if (client.disconnected) keepsLock = await this.#rollBack(client)
    } catch (error) {
      this.#failEngine(client, error instanceof LimitExceeded ? notOpened(error) : RESTARTED)
      keepsLock = false
    }
    if (!keepsLock) await this.#releaseLock(client)
  }

  /** Cancels a client's batch, also while the batch waits for the lock. Without a batch, does nothing. */
  cancel(client: ClientSession): void {
    if (this.#running?.client === client) this.#running.interruption.stop()
    else if (!this.#lock.stopWaiting(client, new Cancelled()) && this.#executing.has(client))
      this.#cancelled.add(client)
  }

  /** Removes a client whose socket has closed, and rolls back its open transaction. */
  async leave(client: ClientSession): Promise<void> {
    if (!this.#clients.delete(client)) return
    // This comes before the wait for the lock, for a client that connects in the meantime.
    if (this.#clients.size === 0) this.#settings.discardSoon()
    this.#channels.removeAll(client)
    this.#lock.stopWaiting(client, new Cancelled())
    // A client may disconnect as soon as it has its answer, while the engine still runs its batch. The engine
    // runs one batch at a time, so `execute` removes the client after the batch.
    if (!this.#executing.has(client)) await this.#removeClient(client)
    else if (this.#running?.client === client) this.#running.interruption.requestCancel()
  }

  async #removeClient(client: ClientSession): Promise<void> {
    try {
      await this.#lock.acquire(client)
      if (this.awake && !this.#closed) await this.#rollBack(client)
    } catch {
      this.#failEngine(client)
    }
    await this.#releaseLock(client)
  }

  /**
   * Ends the connection of a client and the engine, after a failure that the client's SQL did not cause. The
   * other clients get RESTARTED when the engine has ended.
   */
  #failEngine(client: ClientSession, pgError: PgError = RESTARTED): void {
    client.fatal(pgError)
    // The state of the session in a running engine is unknown after such a failure.
    this.#lifecycle.engine?.abort()
  }

  /**
   * Runs `work` while the files on disk are complete and do not change. No statement runs then, no
   * transaction is open, and new batches wait.
   *
   * @param work copies the files. Its signal is aborted when the copying takes too long.
   * @throws LockTimeout if another client does not release the session lock in time
   * @throws LimitExceeded if the engine or `work` takes too long
   */
  async quiesce<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { machine, times } = this.#options
    const holder = {}
    await this.#lock.acquire(holder, times.waitLimitMs)
    try {
      this.#idleWork?.cancel()
      return await withinLimit({ machine, ms: times.copyLimitMs, what: 'copying the database' }, signal =>
        this.#lifecycle.quiesce(work, () => this.#settings.reset(), signal),
      )
    } finally {
      await this.#releaseLock(holder)
    }
  }

  /** Cancels all batches, and closes all connections with the error `pgError`. The engine stays open. */
  disconnectAll(pgError: PgError): void {
    for (const client of this.#clients) this.#disconnect(client, pgError)
  }

  #disconnect(client: ClientSession, pgError: PgError): void {
    client.fatal(pgError)
    this.cancel(client)
  }

  /**
   * Cancels the batch of a connection, or ends the connection.
   *
   * @returns false if no connection has this pid
   */
  #signal(pid: number, terminate: boolean): boolean {
    const target = [...this.#clients].find(client => client.pid === pid)
    if (target === undefined) return false
    if (terminate) this.#disconnect(target, TERMINATED)
    else this.cancel(target)
    return true
  }

  /** Why the lock is not free, for the error of a client that has waited too long. */
  get #busyReason(): BusyReason {
    const { holder } = this.#lock
    if (![...this.#clients].some(client => client === holder)) return 'upkeep'
    return this.#status === 'I' ? 'statement' : 'transaction'
  }

  /** Closes all connections and the engine for good. Each client receives `pgError`. */
  async close(pgError: PgError): Promise<void> {
    this.#closed = true
    this.#idleWork?.cancel()
    this.#terminateAll(pgError)
    await this.#lifecycle.kill()
  }

  /** Runs a batch in the engine. @returns true if a transaction or the batch is still open afterwards */
  async #run(engine: Engine, client: ClientSession, batch: readonly Frame[]): Promise<boolean> {
    const rewritten = client.statements.rewrite(batch)
    const { messages, restored, sql } = rewritten
    for (const text of sql) client.settings.noteSql(text)
    const { machine, times } = this.#options
    const interruption = new Interruption(machine, engine, client.statementTimeoutMs, times.cancelGraceMs)
    const running = { client, interruption }
    const answers = new BatchAnswers({
      client,
      hiddenParses: restored.length,
      onTaken: size => {
        if (this.#running === running) engine.outputTaken(size)
      },
      onCopyIn: () => {
        interruption.onCopyIn(bytes => engine.feed(bytes))
        client.onCopyIn(bytes => interruption.feed(bytes))
      },
      onNotification: notification => notifyListeners(this.#channels, notification, client),
      cancelReason: () => interruption.reason,
    })
    this.#running = running
    try {
      const maxBytes = onlyFreesSpace(sql) ? Number.POSITIVE_INFINITY : this.maxBytes
      await engine.run(Buffer.concat(messages), maxBytes, answers)
    } finally {
      interruption.end()
      this.#running = undefined
    }
    if (answers.failed) client.statements.noteFailed(rewritten, answers.parsed)
    await this.#applyEffects(client, sql, answers)
    this.#status = answers.status
    return answers.status !== 'I'
  }

  /** Records the effects of a batch on prepared statements, settings, channels and `statement_timeout`. */
  async #applyEffects(client: ClientSession, sql: readonly string[], answers: BatchAnswers): Promise<void> {
    if (answers.failed && answers.status === undefined) client.skipToSync()
    if (answers.superuser) {
      client.fatal({ code: '42501', message: 'permission denied to become a superuser' })
      return
    }
    for (const tag of answers.tags) client.settings.noteCompleted(tag)
    if (answers.tags.some(tag => tag === 'DISCARD ALL' || tag === 'DEALLOCATE ALL')) {
      client.statements.forgetAll()
      for (const other of this.#clients) other.statements.lostAll()
    }
    await this.#followListening(client, sql, answers)
    if (answers.status !== 'E' && sql.some(text => /statement_timeout/i.test(text)))
      await this.#settings.readTimeout(client)
  }

  /** Updates the channels after a batch with LISTEN, UNLISTEN or DISCARD ALL. */
  async #followListening(
    client: ClientSession,
    sql: readonly string[],
    { tags, status }: BatchAnswers,
  ): Promise<void> {
    let lostOthers = false
    if (tags.some(tag => tag === 'LISTEN' || tag === 'UNLISTEN'))
      for (const text of sql) lostOthers = this.#channels.record(client, text) || lostOthers
    if (tags.includes('DISCARD ALL')) {
      this.#channels.removeAll(client)
      lostOthers = true
    }
    if (lostOthers && status === 'I' && this.#channels.names.length > 0)
      await this.#lifecycle.ask(this.#channels.listenSql)
  }

  /**
   * Rolls back for a client that has disconnected, and removes its statements.
   *
   * @returns false: nothing is open
   */
  async #rollBack(client: ClientSession): Promise<boolean> {
    const engine = await this.#lifecycle.ensureOpen()
    const rollback = [frame('S'), frame('Q', 'ROLLBACK'), ...client.statements.closeAll(), frame('S')]
    await engine.run(Buffer.concat(rollback), Number.POSITIVE_INFINITY, {
      output: bytes => engine.outputTaken(bytes.length),
      inputWanted: () => engine.feed(frame('f', 'the client has disconnected')),
    })
    await this.#settings.reset(client)
    await this.#settings.discard()
    return false
  }

  /** Releases the session lock if `holder` has it. Cleans the session first if that is due. */
  async #releaseLock(holder: object): Promise<void> {
    if (this.#lock.holder !== holder) return
    try {
      if (!this.#closed) await this.#cleanIfDue(false)
    } catch {
      // The engine has ended. The next batch opens a new one.
    }
    this.#status = 'I'
    this.#lock.release()
    this.#scheduleIdleWork()
  }

  /** Closes an engine that uses too much memory, or runs the vacuum and the checkpoint that are due. */
  async #cleanIfDue(idle: boolean): Promise<void> {
    const { engine } = this.#lifecycle
    if (engine === undefined) return
    if (engine.state.memory > this.#options.memoryLimit) {
      await this.#settings.reset()
      await this.#lifecycle.close()
      return
    }
    if (!this.#lifecycle.cleaningDue(this.maxBytes, idle)) return
    await this.#settings.reset()
    await this.#lifecycle.clean(this.maxBytes, idle)
  }

  /** Plans the vacuum of an idle session, or closing an engine without clients. */
  #scheduleIdleWork(): void {
    this.#idleWork?.cancel()
    if (this.#closed || !this.#lock.free || !this.awake) return
    const { idleMs, hibernateAfterMs } = this.#options.times
    const unused = this.#clients.size === 0
    if (!unused && !this.#lifecycle.cleaningDue(this.maxBytes, true)) return
    const { machine } = this.#options
    this.#idleWork = machine.wakeAt(machine.now() + (unused ? hibernateAfterMs : idleMs), async () => {
      if (!this.#lock.free || this.#closed) return
      await this.#lock.acquire(this)
      await this.#cleanIfDue(true).catch(() => {})
      if (this.#clients.size === 0) await this.#lifecycle.close()
      await this.#releaseLock(this)
    })
  }

  /**
   * Records that a new engine has none of the clients' prepared statements and settings.
   *
   * @returns SQL that makes the new engine listen on the channels of all clients
   */
  #forgetEngineState(): string {
    this.#settings.forgetCurrent()
    for (const client of this.#clients) client.statements.lostAll()
    return this.#channels.listenSql
  }

  #onEngineLost(): void {
    this.#settings.forgetCurrent()
    this.#terminateAll(RESTARTED)
  }

  #terminateAll(pgError: PgError): void {
    for (const client of this.#clients) client.fatal(pgError)
  }
}
