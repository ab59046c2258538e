import { type Clock, machineNow, type Wakeup } from '../clock/clock.js'
import type { ClockControls, ClockDriver, ClockPosition, ClockTarget, ClockUpdate } from '../clock/driver.js'
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

/** A clock record, and the time of the store's machine when it was read, in milliseconds since the epoch. */
interface ClockReading extends ClockRecord {
  readonly server: number
}

const CLOCK = 'store/clock/time'

/** Returns the mode and the time that the clock showed when the record was read. */
function presentOf({ mode, position, server }: ClockReading): { mode: ClockMode; now: number } {
  return { mode, now: mode === 'manual' ? position : server + position }
}

/** Returns the record after the clock has been moved to a target. */
function moved({ server, ...before }: ClockReading, { mode, now, walk }: ClockTarget): ClockRecord {
  const position = mode === 'manual' ? Math.floor(now) : now - server
  return { ...before, version: before.version + 1, mode, position, walk }
}

/**
 * Returns the position of this replica's clock for a record.
 *
 * @param difference lead of the server's time over this machine's, in milliseconds
 */
function standingOf({ mode, position }: ClockRecord, difference: number): ClockPosition {
  return mode === 'manual' ? { mode, now: position } : { mode, ahead: position + difference }
}

/**
 * The lead of the server's time over this machine's and the largest possible error of that lead, both in
 * milliseconds.
 */
interface Difference {
  readonly ms: number
  readonly error: number
}

/**
 * Asks for the server's time and computes its lead. Assumes that the server read its time halfway between
 * question and answer.
 */
async function measured<Row extends { server: number }>(
  ask: () => Promise<Row>,
): Promise<{ row: Row; difference: Difference }> {
  const sent = machineNow()
  const row = await ask()
  const error = (machineNow() - sent) / 2
  return { row, difference: { ms: row.server - (sent + error), error } }
}

/**
 * Interval at which a replica compares its machine's time with the time of the store's machine, in
 * milliseconds.
 */
const LOOK_MS = 2_000

/**
 * Maximum time that a change of the clock waits for other replicas, in milliseconds. A replica that hangs
 * must not block it for longer.
 */
const PATIENCE_MS = 5_000

/** Number of measurements of the server's time at the start. The one with the fastest answer is used. */
const MEASUREMENTS = 3

/**
 * Change of the server's lead that is ignored, in milliseconds. After a larger change, a real clock is set
 * anew.
 */
const TOLERATED_MS = 20

export interface SharedClockOptions {
  store: Pick<StoreDatabase, 'shown' | 'replicas'>
  records: Records
  /** The clock of this replica. */
  clock: Clock
  machine: Clock
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
  readonly #moves = new OneAtATime()
  readonly #progress: Progress
  #unwatch = () => {}
  #hands: ClockControls | undefined
  /** The latest record that this replica's clock has followed. */
  #row: ClockRecord
  #difference: Difference
  #looking: Promise<void> | undefined
  #lookAgain = false
  #wakeup: Wakeup | undefined
  #closed = false

  private constructor(options: SharedClockOptions, row: ClockRecord, difference: Difference) {
    this.#options = options
    this.#progress = new Progress({ ...options, partition: 'store/clock/progress' })
    this.#row = row
    this.#difference = difference
  }

  /**
   * Connects a replica's clock to the store's clock. If the store has no clock yet, this replica's clock
   * becomes the store's clock.
   *
   * @throws Refusal `other_clock` if the user has requested another mode than the store's, or
   *   `store_unavailable`
   */
  static async join(options: SharedClockOptions): Promise<SharedClock> {
    const { store, asked } = options
    let best = await read(options)
    for (let more = 1; more < MEASUREMENTS; more++) {
      const next = await read(options)
      const { difference } = next.difference.error < best.difference.error ? next : best
      best = { row: next.row, difference }
    }
    if (asked !== undefined && asked !== best.row.mode) throw otherClock(best.row.mode, asked, store.shown)
    const shared = new SharedClock(options, best.row, best.difference)
    await shared.#begin()
    return shared
  }

  async move(movement: ClockUpdate): Promise<number> {
    const { target, walking } = await this.#alone(async hands => {
      const { row, target } = await this.#decide(movement)
      const walking = hands
        .inTurn(() => this.#follow(hands, row))
        .then(() => this.#reportIfThere(row.version))
      // The promise is awaited below. This handler prevents an unhandled rejection until then.
      walking.catch(() => undefined)
      // A replica that hangs, even this one, must not keep the other replicas from further changes.
      await this.#gathered(row.version)
      return { target, walking }
    })
    await walking
    return target
  }

  betweenSteps<T>(work: (show: (snapshot: ClockSnapshot) => Promise<void>) => Promise<T>): Promise<T> {
    return this.#alone(hands =>
      hands.inTurn(() =>
        work(async snapshot => {
          const { row } = await this.#decide(() => ({ ...snapshot, walk: false }))
          await this.#follow(hands, row)
          await this.#reportIfThere(row.version)
          // Waits, so that no replica uses the new state with the old time.
          await this.#gathered(row.version)
        }),
      ),
    )
  }

  beginning(): ClockSnapshot {
    const { beganAs: mode, beganAt } = this.#row
    return {
      mode,
      now: mode === 'manual' ? beganAt : Math.floor(machineNow() + this.#difference.ms + beganAt),
    }
  }

  /**
   * Removes this replica from the shared clock, so that the other replicas no longer wait for it. Call it
   * before the clock and the store are closed.
   */
  async close(): Promise<void> {
    this.#closed = true
    this.#wakeup?.cancel()
    this.#unwatch()
    await this.#looking
    await this.#progress.leave().catch(() => undefined)
  }

  async #begin(): Promise<void> {
    const { records, clock } = this.#options
    this.#unwatch = records.watch(CLOCK, ({ own }) => {
      if (!own) void this.#look()
    })
    clock.drive(hands => {
      this.#hands = hands
      return this
    })
    const { version } = this.#row
    await this.#hands?.inTurn(() => this.#hands?.go(standingOf(this.#row, this.#difference.ms), false))
    await this.#progress.report(version)
    // From here on the other replicas wait for this one. The clock may have been moved after its record was
    // read.
    await this.#look()
    this.#lookLater()
  }

  /** Runs `work` while no other work moves the clock on any replica. */
  async #alone<T>(work: (hands: ClockControls) => Promise<T>): Promise<T> {
    const hands = this.#hands
    if (hands === undefined) throw new Error('the clock has no driver yet')
    // If this replica's clock is closed, this call fails before the clocks of other replicas are moved.
    await hands.inTurn(() => undefined)
    return this.#moves.run('', () => this.#options.records.alone('clock', () => work(hands)))
  }

  /** Writes the next position. @returns the record, and the position as an instant */
  #decide(movement: ClockUpdate): Promise<{ row: ClockRecord; target: number }> {
    return this.#options.records.transaction(CLOCK, tx => {
      const reading = readingOf(tx, this.#options)
      const target = movement(presentOf(reading))
      const row = moved(reading, target)
      tx.table<ClockRecord>('clock').set('clock', row)
      tx.announce()
      return { row, target: Math.floor(target.now) }
    })
  }

  /**
   * Moves this replica's clock to the position in a record. Call it inside `inTurn`, so that no other change
   * of the clock is in progress.
   */
  async #follow(hands: ClockControls, row: ClockRecord): Promise<void> {
    if (row.version <= this.#row.version) return
    await hands.go(standingOf(row, this.#difference.ms), row.walk)
    this.#row = row
  }

  /** Resolves when every live replica has reached a version, or {@link PATIENCE_MS} is over. */
  async #gathered(version: number): Promise<void> {
    const { store, log } = this.#options
    try {
      const behind = await this.#progress.gathered(version, PATIENCE_MS)
      if (behind.length === 0) return
      const replicas = await store.replicas()
      const names = behind.map(number => {
        const instance = replicas.find(replica => replica.number === number)?.instance
        return instance ?? `replica ${number}`
      })
      log.warn(`the clock was moved, and ${names.join(', ')} did not follow within ${PATIENCE_MS} ms`)
    } catch (error) {
      // The clock has been moved. The other replicas follow when the store is reachable again.
      if (!(error instanceof StoreUnavailable)) throw error
      log.warn('the clock was moved, and the store went away before all replicas had followed', error.message)
    }
  }

  /**
   * Reports the version that this replica has reached. If the store is unreachable, `#lookOn` reports it
   * later.
   */
  async #reportIfThere(version: number): Promise<void> {
    await this.#progress.report(version).catch(error => {
      if (!(error instanceof StoreUnavailable)) throw error
    })
  }

  /** Reads the record and moves this replica's clock to it. A call during the read makes the read repeat. */
  #look(): Promise<void> {
    this.#lookAgain = true
    this.#looking ??= this.#lookOn().finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  async #lookOn(): Promise<void> {
    const { log } = this.#options
    const hands = this.#hands
    while (this.#lookAgain && !this.#closed && hands !== undefined) {
      this.#lookAgain = false
      try {
        const { row, difference } = await read(this.#options)
        await hands.inTurn(async () => {
          await this.#follow(hands, row)
          await this.#mend(hands, difference)
        })
        const { version } = this.#row
        if (this.#progress.reported < version) await this.#progress.report(version)
      } catch (error) {
        // The clock continues unchanged. The next regular read tries again.
        if (!(error instanceof Refusal)) log.error('the clock of the store could not be followed', error)
      }
    }
  }

  /** Corrects the server's lead if the time of one of the two machines was set. */
  async #mend(hands: ClockControls, difference: Difference): Promise<void> {
    const apart = Math.abs(difference.ms - this.#difference.ms)
    if (apart <= TOLERATED_MS + difference.error + this.#difference.error) return
    this.#options.log.warn(`the machine's time and the store's have moved apart by ${Math.round(apart)} ms`)
    this.#difference = difference
    if (this.#row.mode === 'real') await hands.go(standingOf(this.#row, difference.ms), false)
  }

  #lookLater(): void {
    const { machine } = this.#options
    this.#wakeup = machine.wakeAt(machine.now() + LOOK_MS, () => {
      this.#lookLater()
      void this.#look()
    })
  }
}

function read(options: SharedClockOptions): Promise<{ row: ClockReading; difference: Difference }> {
  return measured(() => options.records.transaction(CLOCK, tx => readingOf(tx, options)))
}

/**
 * Returns the clock of the store. If the store has no clock yet, this replica's clock becomes the store's
 * clock.
 */
function readingOf(tx: Transaction, { clock }: SharedClockOptions): ClockReading {
  const records = tx.table<ClockRecord>('clock')
  const server = tx.storeTime
  const known = records.get('clock')
  if (known !== undefined) return { ...known, server }
  const { mode, now } = clock.snapshot()
  const position = mode === 'manual' ? now : 0
  const begun: ClockRecord = {
    version: 1,
    mode,
    position,
    walk: false,
    beganAs: mode,
    beganAt: position,
  }
  records.set('clock', begun)
  return { ...begun, server }
}

function otherClock(there: ClockMode, asked: ClockMode, shown: string): Refusal {
  return new Refusal(
    'other_clock',
    `the clock of the store at ${shown} is ${there}, and this replica was to have a ${asked} one`,
    'leave --clock out to go by the store; PUT /clock on a running replica changes it for all',
  )
}
