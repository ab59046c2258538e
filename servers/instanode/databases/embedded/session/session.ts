import type { Wakeup } from '../../../../../shared/clock/clock.js'
import { LimitExceeded, withinLimit } from '../../../../../shared/clock/within-limit.js'
import type { Engine } from '../engine/engine.js'
import type { PgError } from '../wire/answers.js'
import { type Frame, frame } from '../wire/frames.js'
import { ActiveSettings } from './active-settings.js'
import { answerBackendCalls } from './backend-calls.js'
import { BatchAnswers } from './batch-answers.js'
import { Channels, channelOf, withSenderPid } from './channels.js'
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
 * The one session of a database, shared by its clients in turns.
 *
 * The engine has a single session. A client has the session lock for one batch (up to Sync, or one simple
 * query), and keeps it while a transaction is open. When another client gets the lock, its settings replace
 * those of the last client. README.md lists the limits of this.
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
  /** Transaction status at the end of the lock holder's last batch. Undefined while the batch is open. */
  #status: string | undefined = 'I'
  /** Clients with a batch in progress, from waiting for the lock to passing it on. */
  readonly #executing = new Set<ClientSession>()
  /** Clients whose batch was cancelled before the engine received it. */
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
      onNotification: notification => this.#notify(notification, undefined),
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

  /** Takes over an engine that is open on the database. */
  async adopt(engine: Engine): Promise<void> {
    await this.#lifecycle.adopt(engine)
    this.#scheduleIdleWork()
  }

  /**
   * Admits a client and opens the engine.
   *
   * @returns the engine's parameters, for the client
   * @throws LimitExceeded, or the error of the engine
   */
  async admit(client: ClientSession): Promise<Buffer> {
    this.#clients.add(client)
    this.#idleWork?.cancel()
    // This does not take the lock: a pool opens its second connection while the first is in a transaction.
    const { parameterStatuses } = await this.#lifecycle.ensureOpen()
    // All clients may have left while the engine opened. It must not stay open for none.
    if (this.#clients.size === 0) this.#scheduleIdleWork()
    return parameterStatuses
  }

  /** Runs a client's batch when it has the lock. Never rejects: errors go to the client. */
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
      // A batch of a client that has left is not run, because a COPY would wait for its data for ever.
      if (keepsLock && !client.disconnected)
        keepsLock = await this.#run(engine, client, batch.map(withoutUserChange))
      if (client.disconnected) keepsLock = await this.#rollBack(client)
    } catch (error) {
      this.#failEngine(client, error instanceof LimitExceeded ? notOpened(error) : RESTARTED)
      keepsLock = false
    }
    if (!keepsLock) await this.#releaseLock(client)
  }

  /** Stops a client's batch, whether it runs or waits. */
  cancel(client: ClientSession): void {
    if (this.#running?.client === client) this.#running.interruption.stop()
    else if (!this.#lock.stopWaiting(client, new Cancelled()) && this.#executing.has(client))
      this.#cancelled.add(client)
  }

  /** Removes a client after its socket has closed, and rolls back its open transaction. */
  async leave(client: ClientSession): Promise<void> {
    if (!this.#clients.delete(client)) return
    // Decided now, so that a client that arrives while this waits for the lock finds a clean session.
    if (this.#clients.size === 0) this.#settings.discardSoon()
    this.#channels.removeAll(client)
    this.#lock.stopWaiting(client, new Cancelled())
    // A client may leave as soon as it has its answer, while its batch still uses the engine. The engine does
    // one thing at a time, so that batch removes the client at its end.
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
   * Handles an engine failure that the client's SQL did not cause. Every client of the database gets an
   * error.
   */
  #failEngine(client: ClientSession, pgError: PgError = RESTARTED): void {
    client.fatal(pgError)
    // A running engine is now in an unknown state. Its other clients get their error when it has ended.
    this.#lifecycle.engine?.abort()
  }

  /**
   * Runs `work` while the files on disk are complete: no statement runs, no transaction is open, and new
   * batches wait.
   *
   * @param work receives a signal that is aborted when the copying takes too long
   * @throws WaitedTooLong if a transaction stays open too long
   * @throws LimitExceeded if the engine or the work takes too long
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

  /** Stops all batches and closes every connection. The database stays. */
  disconnectAll(pgError: PgError): void {
    for (const client of this.#clients) this.#disconnect(client, pgError)
  }

  #disconnect(client: ClientSession, pgError: PgError): void {
    client.fatal(pgError)
    this.cancel(client)
  }

  /**
   * Cancels a connection's batch or ends the connection.
   *
   * @returns false if no connection has that process id
   */
  #signal(pid: number, terminate: boolean): boolean {
    const target = [...this.#clients].find(client => client.pid === pid)
    if (target === undefined) return false
    if (terminate) this.#disconnect(target, TERMINATED)
    else this.cancel(target)
    return true
  }

  /** The work of the lock holder, for the error of a client that waited too long. */
  get #busyReason(): BusyReason {
    const { holder } = this.#lock
    if (![...this.#clients].some(client => client === holder)) return 'upkeep'
    return this.#status === 'I' ? 'statement' : 'transaction'
  }

  /** Closes every connection and the engine. */
  async close(pgError: PgError): Promise<void> {
    this.#closed = true
    this.#idleWork?.cancel()
    this.#terminateAll(pgError)
    await this.#lifecycle.kill()
  }

  /** @returns whether the client keeps the lock, because its transaction or its batch is still open */
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
      onNotification: notification => this.#notify(notification, client),
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

  /** Applies the effects of a batch on the session: statements, settings, channels and statuses. */
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

  /** Rolls back the transaction of a client that has left, and removes its statements. */
  async #rollBack(client: ClientSession): Promise<boolean> {
    const engine = await this.#lifecycle.ensureOpen()
    const rollback = [frame('S'), frame('Q', 'ROLLBACK'), ...client.statements.closeAll(), frame('S')]
    await engine.run(Buffer.concat(rollback), Number.POSITIVE_INFINITY, {
      output: bytes => engine.outputTaken(bytes.length),
      inputWanted: () => engine.feed(frame('f', 'the client has gone')),
    })
    await this.#settings.reset(client)
    await this.#settings.discard()
    return false
  }

  async #releaseLock(holder: object): Promise<void> {
    if (this.#lock.holder !== holder) return
    try {
      if (!this.#closed) await this.#cleanIfDue(false)
    } catch {
      // The engine was lost. The next client gets a new one.
    }
    this.#status = 'I'
    this.#lock.release()
    this.#scheduleIdleWork()
  }

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

  /** Plans the cleaning of an idle session, and the end of an engine without clients. */
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

  #notify(notification: Frame, sender: ClientSession | undefined): Buffer | undefined {
    const message = withSenderPid(sender?.pid ?? 0, notification)
    let own: Buffer | undefined
    for (const listener of this.#channels.listeners(channelOf(notification)))
      if (listener === sender) own = message
      else listener.send(message)
    return own
  }

  /**
   * Forgets the state of the clients, for a new engine.
   *
   * @returns SQL that makes the engine listen on their channels
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
