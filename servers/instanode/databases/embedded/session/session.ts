import type { Wakeup } from '../../../../../shared/clock/clock.js'
import { LimitExceeded, withinLimit } from '../../../../../shared/clock/within-limit.js'
import type { Engine } from '../engine/engine.js'
import type { Complaint } from '../wire/answers.js'
import { type Frame, frame } from '../wire/frames.js'
import { answerBackendCalls } from './backend-calls.js'
import { BatchAnswers } from './batch-answers.js'
import { Channels, channelOf, from } from './channels.js'
import { EngineRoom, Turn } from './engine-room.js'
import type { Guest } from './guest.js'
import {
  CANCELLED,
  Cancelled,
  Interruption,
  notOpened,
  type Occupation,
  RESTARTED,
  TERMINATED,
  waitedInVain,
} from './interruption.js'
import type { SessionOptions } from './session-options.js'
import { SettingsInForce } from './settings-in-force.js'
import { onlyFrees, withoutPromotion } from './statements.js'

/**
 * One database's session, shared by its clients in turns.
 *
 * The engine has a single session. A client has the turn for one batch (up to Sync, or one simple query), and keeps it
 * while a transaction is open; when the turn comes to another client, that client's settings are put in place of the
 * last one's. README.md says what this cannot do.
 */
export class Session {
  /** How large the database's files may become, in bytes. */
  most = Number.POSITIVE_INFINITY
  readonly #options: SessionOptions
  readonly #room: EngineRoom
  readonly #turn: Turn<object>
  readonly #guests = new Set<Guest>()
  readonly #channels = new Channels<Guest>()
  readonly #settings: SettingsInForce
  #running: { guest: Guest; interruption: Interruption } | undefined
  /** The status in which the last batch of the turn's holder ended: of its transaction, or undefined if the batch is open. */
  #status: string | undefined = 'I'
  /** Whose batch is under way, from waiting for the turn to passing it on. */
  readonly #executing = new Set<Guest>()
  /** Whose batch is to be stopped before the engine has been given it. */
  readonly #cancelled = new Set<Guest>()
  #later: Wakeup | undefined
  #shut = false

  constructor(options: SessionOptions) {
    this.#options = options
    this.#turn = new Turn(options.machine, () => this.#room.opening)
    this.#room = new EngineRoom({
      machine: options.machine,
      openingLimitMs: options.times.openingLimitMs,
      open: signal => options.open(signal),
      user: options.user,
      notified: notification => this.#notify(notification, undefined),
      lost: () => this.#lost(),
      prepare: () => this.#fresh(),
    })
    this.#settings = new SettingsInForce(this.#room, () => this.#fresh())
  }

  get connections(): number {
    return this.#guests.size
  }

  get awake(): boolean {
    return this.#room.engine !== undefined
  }

  /** Takes over an engine that is open on the database. */
  async adopt(engine: Engine): Promise<void> {
    await this.#room.adopt(engine)
    this.#rest()
  }

  /**
   * Admits a client, and wakes the engine.
   *
   * @returns the engine's introduction, for the client to be told
   * @throws LimitExceeded, or the error of the engine
   */
  async welcome(guest: Guest): Promise<Buffer> {
    this.#guests.add(guest)
    this.#later?.cancel()
    // Without the turn: a pool opens its second connection while the first is in a transaction.
    const { greeting } = await this.#room.awake()
    // All clients may have left while the engine opened, and it must not stay open for none.
    if (this.#guests.size === 0) this.#rest()
    return greeting
  }

  /** Runs a client's batch in its turn. Never rejects: the client is told. */
  async execute(guest: Guest, batch: readonly Frame[]): Promise<void> {
    const answers = answerBackendCalls(batch, {
      statements: guest.statements,
      status: this.#turn.holder === guest ? this.#status : 'I',
      pid: guest.pid,
      signal: (pid, terminate) => this.#signal(pid, terminate),
    })
    if (answers !== undefined) {
      guest.send(answers)
      return
    }
    this.#executing.add(guest)
    await this.#inTurn(guest, batch)
    this.#executing.delete(guest)
    this.#cancelled.delete(guest)
    if (!this.#guests.has(guest)) await this.#depart(guest)
  }

  async #inTurn(guest: Guest, batch: readonly Frame[]): Promise<void> {
    try {
      await this.#turn.take(guest, this.#options.times.waitLimitMs)
    } catch (error) {
      guest.refuse(waitedInVain(error, this.#options.times.waitLimitMs, this.#occupation))
      return
    }
    let open = true
    try {
      this.#later?.cancel()
      const engine = await this.#room.awake()
      open = await this.#settings.enter(guest)
      if (this.#cancelled.delete(guest)) {
        guest.refuse(CANCELLED)
        open = false
      }
      // Who has gone meanwhile is not run for: a COPY would wait for its data for ever.
      if (open && !guest.gone) open = await this.#run(engine, guest, batch.map(withoutPromotion))
      if (guest.gone) open = await this.#abandon(guest)
    } catch (error) {
      this.#giveUp(guest, error instanceof LimitExceeded ? notOpened(error) : RESTARTED)
      open = false
    }
    if (!open) await this.#pass(guest)
  }

  /** Stops what a client is doing or waiting for. */
  cancel(guest: Guest): void {
    if (this.#running?.guest === guest) this.#running.interruption.stop()
    else if (!this.#turn.forget(guest, new Cancelled()) && this.#executing.has(guest))
      this.#cancelled.add(guest)
  }

  /** A client's socket has gone: what it left open is rolled back. */
  async leave(guest: Guest): Promise<void> {
    if (!this.#guests.delete(guest)) return
    // Decided now: who comes in while this waits for its turn finds a clean session.
    if (this.#guests.size === 0) this.#settings.discardSoon()
    this.#channels.leave(guest)
    this.#turn.forget(guest, new Cancelled())
    // A client may go as soon as it is answered, while its batch still has work for the engine, which does one thing
    // at a time: then that batch sees to the departure when it is over.
    if (!this.#executing.has(guest)) await this.#depart(guest)
    else if (this.#running?.guest === guest) this.#running.interruption.ask()
  }

  async #depart(guest: Guest): Promise<void> {
    try {
      await this.#turn.take(guest)
      if (this.awake && !this.#shut) await this.#abandon(guest)
    } catch {
      this.#giveUp(guest)
    }
    await this.#pass(guest)
  }

  /** What the engine was to do for a client has failed, for another reason than its SQL. Nobody is left waiting. */
  #giveUp(guest: Guest, complaint: Complaint = RESTARTED): void {
    guest.fatal(complaint)
    // One that is still there is in a state that nobody knows: its other clients are told when it has ended.
    this.#room.engine?.abort()
  }

  /**
   * Runs `work` while the files on disk are the database as it is: no statement runs, nobody's transaction is open, and
   * what comes meanwhile waits.
   *
   * @param work receives the signal that is aborted when the copying takes too long
   * @throws WaitedTooLong if a transaction is not ended in the time that a client would wait for it
   * @throws LimitExceeded if the engine or the work takes too long
   */
  async still<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { machine, times } = this.#options
    const me = {}
    await this.#turn.take(me, times.waitLimitMs)
    try {
      this.#later?.cancel()
      return await withinLimit({ machine, ms: times.copyLimitMs, what: 'copying the database' }, signal =>
        this.#room.still(work, () => this.#settings.exit(), signal),
      )
    } finally {
      await this.#pass(me)
    }
  }

  /** Ends every connection, and what it does; the database stays. */
  dismiss(complaint: Complaint): void {
    for (const guest of this.#guests) this.#dismiss(guest, complaint)
  }

  #dismiss(guest: Guest, complaint: Complaint): void {
    guest.fatal(complaint)
    this.cancel(guest)
  }

  /** Cancels what a connection does, or ends the connection. @returns false if there is no such connection */
  #signal(pid: number, terminate: boolean): boolean {
    const target = [...this.#guests].find(guest => guest.pid === pid)
    if (target === undefined) return false
    if (terminate) this.#dismiss(target, TERMINATED)
    else this.cancel(target)
    return true
  }

  /** What the holder of the turn keeps the others waiting with. */
  get #occupation(): Occupation {
    const { holder } = this.#turn
    if (![...this.#guests].some(guest => guest === holder)) return 'upkeep'
    return this.#status === 'I' ? 'statement' : 'transaction'
  }

  /** Ends every connection and the engine. */
  async shut(complaint: Complaint): Promise<void> {
    this.#shut = true
    this.#later?.cancel()
    this.#farewell(complaint)
    await this.#room.kill()
  }

  /** @returns whether the client keeps the turn: its transaction or its batch is still open */
  async #run(engine: Engine, guest: Guest, batch: readonly Frame[]): Promise<boolean> {
    const rewritten = guest.statements.rewrite(batch)
    const { messages, restored, sql } = rewritten
    for (const text of sql) guest.settings.mentions(text)
    const { machine, times } = this.#options
    const interruption = new Interruption(machine, engine, guest.statementTimeoutMs, times.cancelGraceMs)
    const running = { guest, interruption }
    const answers = new BatchAnswers({
      guest,
      restored: restored.length,
      taken: size => {
        if (this.#running === running) engine.taken(size)
      },
      hungry: () => {
        interruption.waiting(bytes => engine.feed(bytes))
        guest.hungry(bytes => interruption.feed(bytes))
      },
      notified: notification => this.#notify(notification, guest),
      cancelReason: () => interruption.reason,
    })
    this.#running = running
    try {
      const most = onlyFrees(sql) ? Number.POSITIVE_INFINITY : this.most
      await engine.run(Buffer.concat(messages), most, answers)
    } finally {
      interruption.over()
      this.#running = undefined
    }
    if (answers.failed) guest.statements.failed(rewritten, answers.parsed)
    await this.#follow(guest, sql, answers)
    this.#status = answers.status
    return answers.status !== 'I'
  }

  /** What a batch has changed beyond its own answers. */
  async #follow(guest: Guest, sql: readonly string[], answers: BatchAnswers): Promise<void> {
    if (answers.failed && answers.status === undefined) guest.skipToSync()
    if (answers.superuser) {
      guest.fatal({ code: '42501', message: 'permission denied to become a superuser' })
      return
    }
    for (const tag of answers.tags) guest.settings.completed(tag)
    if (answers.tags.some(tag => tag === 'DISCARD ALL' || tag === 'DEALLOCATE ALL')) {
      guest.statements.forgetAll()
      for (const other of this.#guests) other.statements.lostAll()
    }
    await this.#followListening(guest, sql, answers)
    if (answers.status !== 'E' && sql.some(text => /statement_timeout/i.test(text)))
      await this.#settings.readTimeout(guest)
  }

  async #followListening(
    guest: Guest,
    sql: readonly string[],
    { tags, status }: BatchAnswers,
  ): Promise<void> {
    let others = false
    if (tags.some(tag => tag === 'LISTEN' || tag === 'UNLISTEN'))
      for (const text of sql) others = this.#channels.follow(guest, text) || others
    if (tags.includes('DISCARD ALL')) {
      this.#channels.leave(guest)
      others = true
    }
    if (others && status === 'I' && this.#channels.names.length > 0)
      await this.#room.ask(this.#channels.listening)
  }

  /** Rolls back and removes what a client that has gone has left in the session. */
  async #abandon(guest: Guest): Promise<boolean> {
    const engine = await this.#room.awake()
    const rollback = [frame('S'), frame('Q', 'ROLLBACK'), ...guest.statements.closeAll(), frame('S')]
    await engine.run(Buffer.concat(rollback), Number.POSITIVE_INFINITY, {
      output: bytes => engine.taken(bytes.length),
      hungry: () => engine.feed(frame('f', 'the client has gone')),
    })
    await this.#settings.exit(guest)
    await this.#settings.discard()
    return false
  }

  async #pass(who: object): Promise<void> {
    if (this.#turn.holder !== who) return
    try {
      if (!this.#shut) await this.#tidy(false)
    } catch {
      // A lost engine: the next client finds a new one.
    }
    this.#status = 'I'
    this.#turn.pass()
    this.#rest()
  }

  async #tidy(idle: boolean): Promise<void> {
    const { engine } = this.#room
    if (engine === undefined) return
    if (engine.state.memory > this.#options.memoryLimit) {
      await this.#settings.exit()
      await this.#room.sleep()
      return
    }
    if (!this.#room.cleaningDue(this.most, idle)) return
    await this.#settings.exit()
    await this.#room.clean(this.most, idle)
  }

  /** Nobody has the turn: in a while, clean up, and without clients go to sleep. */
  #rest(): void {
    this.#later?.cancel()
    if (this.#shut || !this.#turn.free || !this.awake) return
    const { idleMs, hibernateAfterMs } = this.#options.times
    const sleepy = this.#guests.size === 0
    if (!sleepy && !this.#room.cleaningDue(this.most, true)) return
    const { machine } = this.#options
    this.#later = machine.wakeAt(machine.now() + (sleepy ? hibernateAfterMs : idleMs), async () => {
      if (!this.#turn.free || this.#shut) return
      await this.#turn.take(this)
      await this.#tidy(true).catch(() => {})
      if (this.#guests.size === 0) await this.#room.sleep()
      await this.#pass(this)
    })
  }

  #notify(notification: Frame, sender: Guest | undefined): Buffer | undefined {
    const message = from(sender?.pid ?? 0, notification)
    let own: Buffer | undefined
    for (const listener of this.#channels.listeners(channelOf(notification)))
      if (listener === sender) own = message
      else listener.send(message)
    return own
  }

  /** A new engine knows nothing of the clients. @returns SQL that makes it listen for them */
  #fresh(): string {
    this.#settings.forget()
    for (const guest of this.#guests) guest.statements.lostAll()
    return this.#channels.listening
  }

  #lost(): void {
    this.#settings.forget()
    this.#farewell(RESTARTED)
  }

  #farewell(complaint: Complaint): void {
    for (const guest of this.#guests) guest.fatal(complaint)
  }
}
