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
  /** How often it has been moved. */
  readonly version: number
  readonly mode: ClockMode
  /** In milliseconds: where a manual clock stands, what a real one is ahead of the store's machine. */
  readonly position: number
  /** Whether what falls due on the way to this version is run. */
  readonly walk: boolean
  readonly beganAs: ClockMode
  readonly beganAt: number
}

/** A clock record, and the time of the store's machine when it was read, in milliseconds since the epoch. */
interface ClockReading extends ClockRecord {
  readonly server: number
}

const CLOCK = 'store/clock/time'

/** The time that the clock showed when it was read. */
function presentOf({ mode, position, server }: ClockReading): { mode: ClockMode; now: number } {
  return { mode, now: mode === 'manual' ? position : server + position }
}

/** The record once the clock has been moved. */
function moved({ server, ...before }: ClockReading, { mode, now, walk }: ClockTarget): ClockRecord {
  const position = mode === 'manual' ? Math.floor(now) : now - server
  return { ...before, version: before.version + 1, mode, position, walk }
}

/** @param difference milliseconds by which the server's time is ahead of this machine's */
function standingOf({ mode, position }: ClockRecord, difference: number): ClockPosition {
  return mode === 'manual' ? { mode, now: position } : { mode, ahead: position + difference }
}

/** How far the server's time is ahead of this machine's, in milliseconds, and how large the error may be. */
interface Difference {
  readonly ms: number
  readonly error: number
}

/** Asks for the server's time, and takes account of how long the answer took. */
async function measured<Row extends { server: number }>(
  ask: () => Promise<Row>,
): Promise<{ row: Row; difference: Difference }> {
  const sent = machineNow()
  const row = await ask()
  const error = (machineNow() - sent) / 2
  return { row, difference: { ms: row.server - (sent + error), error } }
}

/** How often a replica compares its machine's time with that of the store's, in milliseconds. */
const LOOK_MS = 2_000

/** How long the replica that moves the clock waits for the others, in milliseconds. A replica that hangs must not stop them. */
const PATIENCE_MS = 5_000

/** Measurements at the start. The one whose answer came fastest is the best. */
const MEASUREMENTS = 3

/** How far the two times may drift apart before the clock is set, in milliseconds. */
const TOLERATED_MS = 20

export interface SharedClockOptions {
  store: Pick<StoreDatabase, 'shown' | 'replicas'>
  records: Records
  /** The clock of this replica. */
  clock: Clock
  machine: Clock
  log: Log
  /** The mode that this replica was to have. Undefined: that of the store. */
  asked: ClockMode | undefined
}

/**
 * Shares one clock among all replicas of a store. A record holds its position, or its lead over the store's machine.
 *
 * One replica moves it at a time. It writes where the clock goes, under the next version, and every replica walks
 * its own clock there. The movement is done when all that live have come to that version.
 */
export class SharedClock implements ClockDriver {
  readonly #options: SharedClockOptions
  readonly #moves = new OneAtATime()
  readonly #progress: Progress
  #unwatch = () => {}
  #hands: ClockControls | undefined
  /** As far as this replica has followed. */
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
   * Makes a replica's clock the store's. The first replica's clock becomes that of the store.
   *
   * @throws Refusal `other_clock` if another mode was asked for; `store_unavailable`
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
      // It is awaited below. Until then a rejection must not be an unhandled one.
      walking.catch(() => undefined)
      // A replica that hangs on the way, this one included, must not keep the other replicas from moving on.
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
          // The new state must not be judged by the old time on any replica.
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

  /** Ends the waiting of other replicas for this one. To be called before its clock and the store are closed. */
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
    // From here on the other replicas wait for this one. The clock may have been moved since it was read.
    await this.#look()
    this.#lookLater()
  }

  /** Runs `work` while no other work moves the clock, on any replica. */
  async #alone<T>(work: (hands: ClockControls) => Promise<T>): Promise<T> {
    const hands = this.#hands
    if (hands === undefined) throw new Error('the clock has no driver yet')
    // A clock that is closed on this replica must not be moved on the others.
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

  /** Moves the clock to where the record says. To be called while no other movement of this clock is under way. */
  async #follow(hands: ClockControls, row: ClockRecord): Promise<void> {
    if (row.version <= this.#row.version) return
    await hands.go(standingOf(row, this.#difference.ms), row.walk)
    this.#row = row
  }

  /** Resolves when every replica that lives has come to that version, or too much time has passed. */
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
      // The clock has been moved. The other replicas find out when the store is back.
      if (!(error instanceof StoreUnavailable)) throw error
      log.warn('the clock was moved, and the store went away before all replicas had followed', error.message)
    }
  }

  /** Reports how far this replica has come. While the store is away, `#lookOn` does so once it is back. */
  async #reportIfThere(version: number): Promise<void> {
    await this.#progress.report(version).catch(error => {
      if (!(error instanceof StoreUnavailable)) throw error
    })
  }

  /** Reads the record and follows it. A call that comes meanwhile makes it read once more. */
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
        // The clock goes on as it was. The next look comes when the store is back.
        if (!(error instanceof Refusal)) log.error('the clock of the store could not be followed', error)
      }
    }
  }

  /** Takes over a new difference if one of the two machines' times was set. */
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

/** The clock of the store. The first replica's clock becomes that. */
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
