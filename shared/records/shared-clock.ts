import { type Clock, machineNow, type Wakeup } from '../clock/clock.js'
import type { ClockDriver, ClockHands, Movement, Standing, Target } from '../clock/driver.js'
import { wakeOrLater } from '../clock/in-time.js'
import type { ClockMode, ClockSnapshot } from '../clock/spec.js'
import { Refusal } from '../errors.js'
import { OneAtATime } from '../util/locks.js'
import type { Log } from '../util/log.js'
import { statement } from './statement.js'
import type { StoreDatabase } from './store-database.js'
import { StoreUnavailable } from './store-error.js'

/** The clock as the store has it, and the server's own time when it was read. */
interface ClockRow {
  version: number
  mode: ClockMode
  /** Of a manual one where it stands, of a real one what it is ahead of the server: in milliseconds. */
  position: number
  walk: boolean
  began_as: ClockMode
  began_at: number
  /** The server's time, in milliseconds since the epoch. */
  server: number
}

const SERVER = '(extract(epoch FROM clock_timestamp()) * 1000)::float8 AS server'

const ROW = `SELECT version, mode, position, walk, began_as, began_at, ${SERVER} FROM clock`

const CLOCK = statement(ROW)

const CLOCK_LOCKED = statement(`${ROW} FOR UPDATE`)

const BEGIN_CLOCK = statement(
  'INSERT INTO clock (mode, position, began_as, began_at) VALUES ($1, $2, $1, $2) ON CONFLICT DO NOTHING',
)

const MOVE_CLOCK = statement('UPDATE clock SET version = $1, mode = $2, position = $3, walk = $4')

/** $2: NULL if it follows no more. A walk that took long is told of behind a later one, and takes nothing back. */
const REACHED = statement(
  'UPDATE replicas SET clock_version = CASE WHEN $2::bigint IS NULL THEN NULL ELSE greatest(clock_version, $2) END WHERE number = $1',
)

const BEHIND = statement(
  'SELECT r.number, r.instance FROM live_replicas JOIN replicas r USING (number) WHERE r.clock_version < $1 ORDER BY 1',
)

/** What the row's clock showed when it was read. */
function presentOf({ mode, position, server }: ClockRow): { mode: ClockMode; now: number } {
  return { mode, now: mode === 'manual' ? position : server + position }
}

/** The row once the clock has been moved. */
function moved(row: ClockRow, { mode, now, walk }: Target): ClockRow {
  const position = mode === 'manual' ? Math.floor(now) : now - row.server
  return { ...row, version: row.version + 1, mode, position, walk }
}

/** @param difference what the server's time is ahead of this machine's */
function standingOf({ mode, position }: ClockRow, difference: number): Standing {
  return mode === 'manual' ? { mode, now: position } : { mode, ahead: position + difference }
}

/** What the server's time is ahead of this machine's, in milliseconds, and by how much that may be wrong. */
interface Difference {
  readonly ms: number
  readonly error: number
}

/** Asks for the server's time, and reckons with how long the answer took. */
async function measured<Row extends { server: number }>(
  ask: () => Promise<Row>,
): Promise<{ row: Row; difference: Difference }> {
  const sent = machineNow()
  const row = await ask()
  const error = (machineNow() - sent) / 2
  return { row, difference: { ms: row.server - (sent + error), error } }
}

/** Replicas are told that the clock has been moved, and that one has come to a version. */
const TOPIC = { moved: 'clock-moved', reached: 'clock-reached' }

/** How often a replica looks for itself: a notice may be lost. */
const LOOK_MS = 2_000

/** How often who has moved the clock looks whether the others have followed, beside being told. */
const COUNT_MS = 50

/** How long he waits for them: one that hangs must not keep the others from going on. */
const PATIENCE_MS = 5_000

/** Of several measurements the one whose answer came fastest is the best. */
const MEASUREMENTS = 3

/** What the two times may drift apart before it is worth a leap. */
const TOLERATED_MS = 20

export interface SharedClockOptions {
  store: StoreDatabase
  /** The clock of this replica. */
  clock: Clock
  machine: Clock
  log: Log
  /** What this replica was to have; undefined: whichever the store has. */
  asked: ClockMode | undefined
}

/**
 * One clock for all replicas of a store: a row says where it stands, or what it is ahead of the server's own time.
 *
 * Whoever moves it does so alone: he writes where it goes, under the next version, and every replica walks
 * its own clock there, himself among them. He is done when all that live have come to that version.
 */
export class SharedClock implements ClockDriver {
  readonly #options: SharedClockOptions
  readonly #moves = new OneAtATime()
  readonly #leave: (() => void)[] = []
  readonly #onReached = new Set<() => void>()
  #hands: ClockHands | undefined
  /** As far as this replica has followed. */
  #row: ClockRow
  #difference: Difference
  #reported = 0
  #looking: Promise<void> | undefined
  #lookAgain = false
  #wakeup: Wakeup | undefined
  #closed = false

  private constructor(options: SharedClockOptions, row: ClockRow, difference: Difference) {
    this.#options = options
    this.#row = row
    this.#difference = difference
  }

  /**
   * Has a replica's clock be the store's; the first replica's becomes that.
   *
   * @throws Refusal `other_clock` if another mode was asked for; `store_unavailable`
   */
  static async join(options: SharedClockOptions): Promise<SharedClock> {
    const { store, clock, asked } = options
    const { mode, now } = clock.snapshot()
    await store.write(BEGIN_CLOCK, [mode, mode === 'manual' ? now : 0])
    let best = await read(store)
    for (let more = 1; more < MEASUREMENTS; more++) {
      const next = await read(store)
      const { difference } = next.difference.error < best.difference.error ? next : best
      best = { row: next.row, difference }
    }
    if (asked !== undefined && asked !== best.row.mode) throw otherClock(best.row.mode, asked, store.shown)
    const shared = new SharedClock(options, best.row, best.difference)
    await shared.#begin()
    return shared
  }

  async move(movement: Movement): Promise<number> {
    const { target, walking } = await this.#alone(async hands => {
      const { row, target } = await this.#decide(movement)
      const walking = hands
        .inTurn(() => this.#follow(hands, row))
        .then(() => this.#reportIfThere(row.version))
      // It is waited for below, and has to have somebody who listens until then.
      walking.catch(() => undefined)
      // Whoever hangs on the way, this replica among them, does not keep the others from moving on.
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
          // Nobody is to judge by the old time what is put in place for the new one.
          await this.#gathered(row.version)
        }),
      ),
    )
  }

  beginning(): ClockSnapshot {
    const { began_as: mode, began_at } = this.#row
    return {
      mode,
      now: mode === 'manual' ? began_at : Math.floor(machineNow() + this.#difference.ms + began_at),
    }
  }

  /** Has nobody wait for this replica any more. To be called before its clock and the store are closed. */
  async close(): Promise<void> {
    this.#closed = true
    this.#wakeup?.cancel()
    for (const leave of this.#leave) leave()
    await this.#looking
    await this.#report(null).catch(() => undefined)
  }

  async #begin(): Promise<void> {
    const { store, clock } = this.#options
    const { notices } = store
    const look = () => void this.#look()
    this.#leave.push(
      notices.on(TOPIC.moved, look),
      notices.onGap(look),
      notices.on(TOPIC.reached, () => {
        for (const told of this.#onReached) told()
      }),
    )
    clock.drive(hands => {
      this.#hands = hands
      return this
    })
    const { version } = this.#row
    await this.#hands?.inTurn(() => this.#hands?.go(standingOf(this.#row, this.#difference.ms), false))
    await this.#report(version)
    // What was moved since it was read is found now; from here on everybody waits for this replica.
    await this.#look()
    this.#lookLater()
  }

  /** Runs `work` while nobody else moves the clock, here or on another replica. */
  async #alone<T>(work: (hands: ClockHands) => Promise<T>): Promise<T> {
    const hands = this.#hands
    if (hands === undefined) throw new Error('the clock has no driver yet')
    // A clock that is closed here must not be moved elsewhere.
    await hands.inTurn(() => undefined)
    return this.#moves.run('', () => this.#options.store.alone('clock', () => work(hands)))
  }

  /** @returns where it is to go, as the row now says, and as an instant */
  #decide(movement: Movement): Promise<{ row: ClockRow; target: number }> {
    return this.#options.store.transaction(async tx => {
      const [row] = await tx.query<ClockRow & Record<string, unknown>>(CLOCK_LOCKED)
      if (row === undefined) throw noClock(this.#options.store.shown)
      const target = movement(presentOf(row))
      const next = moved(row, target)
      tx.send(MOVE_CLOCK, [next.version, next.mode, next.position, next.walk])
      tx.notify(TOPIC.moved, String(next.version))
      return { row: next, target: Math.floor(target.now) }
    })
  }

  /** Goes where the row says. Only for who is in turn. */
  async #follow(hands: ClockHands, row: ClockRow): Promise<void> {
    if (row.version <= this.#row.version) return
    await hands.go(standingOf(row, this.#difference.ms), row.walk)
    this.#row = row
  }

  /** Resolves when every replica that lives has come to that version, or too much time has passed. */
  async #gathered(version: number): Promise<void> {
    const { machine, store, log } = this.#options
    const until = machine.now() + PATIENCE_MS
    try {
      for (;;) {
        const told = wakeOrLater(machine, COUNT_MS, this.#onReached)
        const behind = await store.read<{ number: number; instance: string | null }>(BEHIND, [version])
        if (behind.length === 0) return told.forget()
        if (machine.now() >= until) {
          told.forget()
          const names = behind.map(({ instance, number }) => instance ?? `replica ${number}`).join(', ')
          return log.warn(`the clock was moved, and ${names} did not follow within ${PATIENCE_MS} ms`)
        }
        await told.promise
      }
    } catch (error) {
      // It has been moved: the others find out when the store is back.
      if (!(error instanceof StoreUnavailable)) throw error
      log.warn('the clock was moved, and the store went away before all replicas had followed', error.message)
    }
  }

  /** Says how far this replica has come; while the store is away, once it is back. */
  async #reportIfThere(version: number): Promise<void> {
    await this.#report(version).catch(error => {
      if (!(error instanceof StoreUnavailable)) throw error
    })
  }

  async #report(version: number | null): Promise<void> {
    const { store } = this.#options
    await store.transaction(async tx => {
      tx.send(REACHED, [store.replica, version])
      tx.notify(TOPIC.reached, String(version))
    })
    this.#reported = Math.max(this.#reported, version ?? 0)
  }

  /** Looks where the clock is to be, and goes there; once more if somebody asks meanwhile. */
  #look(): Promise<void> {
    this.#lookAgain = true
    this.#looking ??= this.#lookOn().finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  async #lookOn(): Promise<void> {
    const { store, log } = this.#options
    const hands = this.#hands
    while (this.#lookAgain && !this.#closed && hands !== undefined) {
      this.#lookAgain = false
      try {
        const { row, difference } = await read(store)
        await hands.inTurn(async () => {
          await this.#follow(hands, row)
          await this.#mend(hands, difference)
        })
        if (this.#reported < this.#row.version) await this.#report(this.#row.version)
      } catch (error) {
        // The clock goes on with what is known; it is looked again when the store is back.
        if (!(error instanceof Refusal)) log.error('the clock of the store could not be followed', error)
      }
    }
  }

  /** One of the two times was set: a difference that was measured before is no longer true. */
  async #mend(hands: ClockHands, difference: Difference): Promise<void> {
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

async function read(store: StoreDatabase): Promise<{ row: ClockRow; difference: Difference }> {
  return measured(async () => {
    const [row] = await store.read<ClockRow & Record<string, unknown>>(CLOCK)
    if (row === undefined) throw noClock(store.shown)
    return row
  })
}

function noClock(shown: string): Error {
  return new Error(`the store at ${shown} has lost its clock`)
}

function otherClock(there: ClockMode, asked: ClockMode, shown: string): Refusal {
  return new Refusal(
    'other_clock',
    `the clock of the store at ${shown} is ${there}, and this replica was to have a ${asked} one`,
    'leave --clock out to go by the store; PUT /clock on a running replica changes it for all',
  )
}
