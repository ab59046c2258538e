import { type Clock, machineNow, type Wakeup } from '../clock/clock.js'
import type { ClockControls, ClockDriver, ClockPosition, ClockUpdate } from '../clock/driver.js'
import type { ClockMode, ClockSnapshot } from '../clock/spec.js'
import { Refusal } from '../errors.js'
import { OneAtATime } from '../util/locks.js'
import type { Log } from '../util/log.js'
import { Progress } from './progress.js'
import type { Records } from './records.js'
import type { StoreDatabase } from './store-database.js'
import { StoreUnavailable } from './store-error.js'
import type { Transaction } from './transaction.js'

/** The clock of a store, as a record. */
interface ClockRecord {
  /** 1 for the first position. Each change of the clock adds 1. */
  readonly version: number
  readonly mode: ClockMode
  /** The time of a manual clock, or the lead of a real clock over the store's machine. In milliseconds. */
  readonly position: number
  /** Whether the clock runs the wake-ups that fall due between the previous position and this one. */
  readonly walk: boolean
  readonly beganAs: ClockMode
  readonly beganAt: number
}

const CLOCK = 'store/clock/time'

/**
 * The lead of the server's time over this machine's and the largest possible error of that lead, both in
 * milliseconds.
 */
interface Lead {
  readonly ms: number
  readonly error: number
}

/**
 * Interval at which a replica compares its machine's time with the time of the store's machine, in
 * milliseconds.
 */
const READ_INTERVAL_MS = 2_000

/**
 * Maximum time that a change of the clock waits for other replicas, in milliseconds. A replica that hangs
 * must not block it for longer.
 */
const FOLLOW_TIMEOUT_MS = 5_000

/**
 * Change of the server's lead that is ignored, in milliseconds. After a larger change, a real clock is set
 * anew.
 */
const TOLERATED_MS = 20

export interface SharedClockOptions {
  store: StoreDatabase
  records: Records
  /** The clock of this replica. */
  clock: Clock
  log: Log
  /** The mode that the user has requested for this replica. Undefined: the mode of the store. */
  asked: ClockMode | undefined
}

/**
 * Shares one clock among all replicas of a store. A record holds the position of a manual clock, or the lead
 * of a real clock over the store's machine.
 *
 * Only one replica at a time moves the clock. It writes the target with the next version, and every replica
 * moves its own clock to the target. The change is complete when every live replica has reached the new
 * version, or a time limit is over.
 */
export class SharedClock implements ClockDriver {
  readonly #options: SharedClockOptions
  readonly #controls: ClockControls
  readonly #progress: Progress
  readonly #readLock = new OneAtATime()
  /** The latest record that this replica's clock has followed. */
  #row: ClockRecord
  #lead: Lead
  #unwatch = () => {}
  #wakeup: Wakeup | undefined
  #closed = false

  private constructor(options: SharedClockOptions, controls: ClockControls, row: ClockRecord, lead: Lead) {
    this.#options = options
    this.#controls = controls
    this.#progress = new Progress(options.store, 'clock')
    this.#row = { ...row, version: 0 }
    this.#lead = lead
  }

  /**
   * Connects a replica's clock to the store's clock. If the store has no clock yet, this replica's clock
   * becomes the store's clock.
   *
   * @throws Refusal `other_clock` if the user has requested another mode than the store's, or
   *   `store_unavailable`
   */
  static async join(options: SharedClockOptions): Promise<SharedClock> {
    const { store, asked, clock } = options
    // The first reading may open a connection. That takes long, so its measurement is poor.
    await read(options)
    const { row, lead } = await read(options)
    if (asked !== undefined && asked !== row.mode) throw otherClock(row.mode, asked, store.shown)
    const shared = clock.drive(controls => new SharedClock(options, controls, row, lead))
    await shared.#begin(row)
    return shared
  }

  async move(update: ClockUpdate): Promise<number> {
    const { target, walking } = await this.#alone(async () => {
      const { row, target } = await this.#decide(update)
      const walking = this.#controls.inTurn(() => this.#follow(row))
      // The promise is awaited below. This handler prevents an unhandled rejection until then.
      walking.catch(() => undefined)
      // A replica that hangs, even this one, must not keep the other replicas from further changes.
      await this.#waitForOthers(row.version)
      return { target, walking }
    })
    await walking
    return target
  }

  betweenSteps<T>(work: (show: (snapshot: ClockSnapshot) => Promise<void>) => Promise<T>): Promise<T> {
    return this.#alone(() =>
      this.#controls.inTurn(() =>
        work(async snapshot => {
          const { row } = await this.#decide(() => ({ ...snapshot, walk: false }))
          await this.#follow(row)
          // Waits, so that no replica uses the new state with the old time.
          await this.#waitForOthers(row.version)
        }),
      ),
    )
  }

  beginning(): ClockSnapshot {
    const { beganAs: mode, beganAt } = this.#row
    return { mode, now: mode === 'manual' ? beganAt : Math.floor(machineNow() + this.#lead.ms + beganAt) }
  }

  /**
   * Removes this replica from the shared clock, so that the other replicas no longer wait for it. Call it
   * before the clock and the store are closed.
   */
  async close(): Promise<void> {
    this.#closed = true
    this.#wakeup?.cancel()
    this.#unwatch()
    await this.#read()
    await this.#progress.leave().catch(() => undefined)
  }

  async #begin(row: ClockRecord): Promise<void> {
    this.#unwatch = this.#options.records.watch(CLOCK, ({ own }) => {
      if (!own) void this.#read()
    })
    await this.#controls.inTurn(() => this.#follow({ ...row, walk: false }))
    // From here on the other replicas wait for this one. The clock may have been moved after its record was
    // read.
    await this.#read()
    this.#readLater()
  }

  /** Runs `work` while no other work moves the clock on any replica. */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    // If this replica's clock is closed, this call fails before the clocks of other replicas are moved.
    await this.#controls.inTurn(() => undefined)
    return this.#options.records.alone('clock', work)
  }

  /** Writes the next position. @returns the record, and the position as an instant */
  #decide(update: ClockUpdate): Promise<{ row: ClockRecord; target: number }> {
    return this.#options.records.transaction(CLOCK, tx => {
      const before = recordIn(tx, this.#options.clock)
      const present = before.mode === 'manual' ? before.position : tx.storeTime + before.position
      const { mode, now, walk } = update({ mode: before.mode, now: present })
      const position = mode === 'manual' ? Math.floor(now) : now - tx.storeTime
      const row = { ...before, version: before.version + 1, mode, position, walk }
      tx.table<ClockRecord>('clock').set('clock', row)
      tx.announce()
      return { row, target: Math.floor(now) }
    })
  }

  /**
   * Moves this replica's clock to the position in a record, and reports its version. Call it inside `inTurn`,
   * so that no other change of the clock is in progress.
   */
  async #follow(row: ClockRecord): Promise<void> {
    if (row.version > this.#row.version) {
      await this.#controls.go(positionOf(row, this.#lead), row.walk)
      this.#row = row
    }
    const { version } = this.#row
    if (this.#progress.reported >= version) return
    await this.#progress.report(version).catch(error => {
      // The next regular read reports it.
      if (!(error instanceof StoreUnavailable)) throw error
    })
  }

  /** Resolves when every live replica has reached a version, or {@link FOLLOW_TIMEOUT_MS} is over. */
  async #waitForOthers(version: number): Promise<void> {
    const { log } = this.#options
    try {
      const behind = await this.#progress.waitForOthers(version, FOLLOW_TIMEOUT_MS)
      if (behind.length === 0) return
      log.warn(`the clock was moved, and ${behind.join(', ')} did not follow within ${FOLLOW_TIMEOUT_MS} ms`)
    } catch (error) {
      // The clock has been moved. The other replicas follow when the store is reachable again.
      if (!(error instanceof StoreUnavailable)) throw error
      log.warn('the clock was moved, and the store went away before all replicas had followed', error.message)
    }
  }

  /** Reads the record and moves this replica's clock to it. */
  #read(): Promise<void> {
    return this.#readLock.run('', async () => {
      if (this.#closed) return
      try {
        const { row, lead } = await read(this.#options)
        await this.#controls.inTurn(async () => {
          await this.#follow(row)
          await this.#correctLead(lead)
        })
      } catch (error) {
        // The clock continues unchanged. The next regular read tries again.
        if (error instanceof Refusal) return
        this.#options.log.error('the clock of the store could not be followed', error)
      }
    })
  }

  /** Corrects the server's lead if the time of one of the two machines was set. */
  async #correctLead(lead: Lead): Promise<void> {
    const apart = Math.abs(lead.ms - this.#lead.ms)
    if (apart <= TOLERATED_MS + lead.error + this.#lead.error) return
    this.#options.log.warn(`the machine's time and the store's have moved apart by ${Math.round(apart)} ms`)
    this.#lead = lead
    if (this.#row.mode === 'real') await this.#controls.go(positionOf(this.#row, lead), false)
  }

  #readLater(): void {
    const { machine } = this.#options.store
    this.#wakeup = machine.wakeAt(machine.now() + READ_INTERVAL_MS, () => {
      this.#readLater()
      void this.#read()
    })
  }
}

/** Reads the record, and measures the lead of the server's time. */
async function read({ records, clock }: SharedClockOptions): Promise<{ row: ClockRecord; lead: Lead }> {
  const sent = machineNow()
  const read = (tx: Transaction) => ({ row: recordIn(tx, clock), server: tx.storeTime })
  const { row, server } = await records.transaction(CLOCK, read)
  // Assumes that the server read its time halfway between question and answer.
  const error = (machineNow() - sent) / 2
  return { row, lead: { ms: server - (sent + error), error } }
}

/** Returns the clock of the store. If the store has none yet, this replica's clock becomes the store's. */
function recordIn(tx: Transaction, clock: Clock): ClockRecord {
  const records = tx.table<ClockRecord>('clock')
  const known = records.get('clock')
  if (known !== undefined) return known
  const { mode, now } = clock.snapshot()
  const position = mode === 'manual' ? now : 0
  const begun = { version: 1, mode, position, walk: false, beganAs: mode, beganAt: position }
  records.set('clock', begun)
  return begun
}

/** Returns the position of this replica's clock for a record. */
function positionOf({ mode, position }: ClockRecord, lead: Lead): ClockPosition {
  return mode === 'manual' ? { mode, now: position } : { mode, ahead: position + lead.ms }
}

function otherClock(there: ClockMode, asked: ClockMode, shown: string): Refusal {
  return new Refusal(
    'other_clock',
    `the clock of the store at ${shown} is ${there}, and this replica was to have a ${asked} one`,
    'leave --clock out to go by the store; PUT /clock on a running replica changes it for all',
  )
}
