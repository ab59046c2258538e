import type { Clock } from '../clock/clock.js'
import { Refusal } from '../errors.js'
import type { JournalEntry } from '../journal/entry.js'
import type { Journal } from '../journal/journal.js'
import type { JournalHands, JournalShare } from '../journal/share.js'
import type { Log } from '../util/log.js'
import { OneAtATime } from '../util/one-at-a-time.js'
import { JournalQueue } from './journal-queue.js'
import {
  adopted,
  BEHIND,
  CLEAR,
  type JournalRow,
  LATEST,
  LOCK,
  LOST,
  PAGE,
  TRIM,
  WRITE,
} from './journal-rows.js'
import { RollCall } from './roll-call.js'
import type { StoreDatabase } from './store-database.js'

const TOPIC = { written: 'journal-written', cleared: 'journal-cleared', call: 'journal' }

/** How long an ended entry waits for others to be written with. It is also how far the other replicas are behind, as a rule. */
const GATHER_MS = 50

/** How often a replica looks for itself: a notice may be lost. While the store is away, how often it is tried. */
const LOOK_MS = 2_000

/** How many entries the store keeps, and after how many of its own a replica looks whether there are more. */
const KEPT = { entries: 100_000, every: 5_000 }

/** How many of them a replica begins with: what its own ring holds. */
const READ_BACK = 10_000

export interface SharedJournalOptions {
  store: StoreDatabase
  journal: Journal
  machine: Clock
  log: Log
}

/**
 * The journal of all replicas of a store: each writes what has ended, behind its calls, and follows what the others have written.
 *
 * Writers are one at a time, so places are given out in the order in which they can be read.
 */
export class SharedJournal implements JournalShare {
  readonly #options: SharedJournalOptions
  readonly #hands: JournalHands
  readonly #queue = new JournalQueue()
  /** Reading, writing and clearing: one at a time. */
  readonly #turns = new OneAtATime()
  readonly #leave: (() => void)[] = []
  readonly #rollCall: RollCall
  #epoch = 0
  /** The last place that was read. */
  #place = 0
  #sinceTrim = 0
  /** Clears of this replica that are not in the store yet. Until then a read may return entries that it has forgotten. */
  #clearing = 0
  #flushAt: { cancel(): void } | undefined
  #lookAt: { cancel(): void } | undefined
  #closed = false

  private constructor(options: SharedJournalOptions, hands: JournalHands) {
    this.#options = options
    this.#hands = hands
    const { store, machine } = options
    this.#rollCall = new RollCall({ store, machine, topic: TOPIC.call, answer: () => this.#flush() })
  }

  /** Has a journal be the store's, beginning with the latest of what is there. @throws StoreUnavailable */
  static async join(options: SharedJournalOptions): Promise<SharedJournal> {
    let shared: SharedJournal | undefined
    options.journal.shareBy(hands => {
      shared = new SharedJournal(options, hands)
      return shared
    })
    if (shared === undefined) throw new Error('a journal that is off cannot be shared')
    await shared.#begin()
    return shared
  }

  /** Entries that have not been written yet. */
  get waiting(): number {
    return this.#queue.size
  }

  ended(entry: JournalEntry): void {
    this.#queue.add(entry)
    if (this.#queue.full) this.#flushSoon(0)
    else if (this.#flushAt === undefined) this.#flushSoon(GATHER_MS)
  }

  async cleared(): Promise<void> {
    const { store } = this.#options
    this.#queue.clear()
    this.#clearing++
    await this.#turns.run('', async () => {
      try {
        const epoch = await store.transaction(async tx => {
          tx.send(LOCK)
          const [state] = await tx.query<{ epoch: number }>(CLEAR)
          tx.notify(TOPIC.cleared, String(state?.epoch))
          return state?.epoch ?? 0
        })
        this.#epoch = Math.max(this.#epoch, epoch)
      } finally {
        this.#clearing--
      }
    })
    // Who goes on writing has to know first that what came before does not count.
    await this.#rollCall.call()
  }

  async refresh(): Promise<boolean> {
    try {
      const all = await this.#rollCall.call()
      await this.#read()
      return all
    } catch (error) {
      if (error instanceof Refusal) return false
      throw error
    }
  }

  /** Takes no part any more, once what is left has been written, if the store is there. */
  async close(): Promise<void> {
    this.#closed = true
    this.#flushAt?.cancel()
    this.#lookAt?.cancel()
    this.#rollCall.close()
    for (const leave of this.#leave) leave()
    await this.flush()
  }

  /** Writes what is left, if the store is there. */
  async flush(): Promise<void> {
    await this.#flush().catch(error => this.#complain(error))
  }

  async #begin(): Promise<void> {
    const { notices } = this.#options.store
    const read = () => void this.#read().catch(error => this.#complain(error))
    this.#leave.push(
      notices.on(TOPIC.written, (_, own) => {
        if (!own) read()
      }),
      notices.on(TOPIC.cleared, (epoch, own) => {
        if (!own) this.#forget(Number(epoch))
      }),
      notices.onGap(() => {
        read()
        if (this.#queue.size > 0) this.#flushSoon(0)
      }),
    )
    const [latest] = await this.#options.store.read<{ epoch: number; after: number; older: number }>(LATEST, [
      READ_BACK,
    ])
    this.#epoch = latest?.epoch ?? 0
    this.#place = latest?.after ?? 0
    if (latest !== undefined && latest.older > 0) this.#hands.lose(latest.older)
    await this.#read()
    this.#lookLater()
  }

  #flushSoon(ms: number): void {
    if (this.#closed) return
    const { machine } = this.#options
    this.#flushAt?.cancel()
    this.#flushAt = machine.wakeAt(machine.now() + ms, () => {
      this.#flushAt = undefined
      void this.#flush().catch(error => {
        this.#complain(error)
        this.#flushSoon(LOOK_MS)
      })
    })
  }

  /** Writes all that is queued. @throws StoreUnavailable: what could not be written is queued still */
  #flush(): Promise<void> {
    return this.#turns.run('', async () => {
      while (this.#queue.size > 0 || this.#queue.lost > 0) await this.#write()
    })
  }

  async #write(): Promise<void> {
    const { store } = this.#options
    const batch = this.#queue.batch()
    const { entries, lost } = batch
    const epoch = this.#epoch
    const seqs = entries.map(({ seq }) => seq)
    const texts = entries.map(entry => JSON.stringify(entry))
    await store.transaction(async tx => {
      tx.send(LOCK)
      if (lost > 0) tx.send(LOST, [store.replica, lost, epoch])
      // One that was written before its connection broke is not written twice.
      tx.send(WRITE, [store.replica, seqs, texts, epoch])
      tx.notify(TOPIC.written, '')
    })
    this.#queue.written(batch)
    this.#sinceTrim += entries.length
    if (this.#sinceTrim < KEPT.every) return
    this.#sinceTrim = 0
    await store.write(TRIM, [KEPT.entries])
  }

  /** Takes in what the others have written since. @throws StoreUnavailable */
  #read(): Promise<void> {
    return this.#turns.run('', async () => {
      const { store } = this.#options
      for (let more = true; more; ) {
        const rows = await store.read<JournalRow>(BEHIND, [this.#place, store.replica])
        const epoch = rows[0]?.epoch ?? 0
        if (this.#clearing > 0) return
        this.#forget(epoch)
        more = rows.length === PAGE
        // Cleared since they were read: they are of before.
        if (epoch < this.#epoch) more = true
        else for (const row of rows) this.#take(row)
      }
    })
  }

  #take({ place, lost, entry }: JournalRow): void {
    if (place === null) return
    this.#place = place
    if (lost !== null && lost > 0) this.#hands.lose(lost)
    if (entry === null) return
    const json = adopted(entry)
    if (json !== undefined) this.#hands.adopt(json)
    else this.#options.log.warn('the journal of the store has an entry that cannot be read', `place ${place}`)
  }

  #forget(epoch: number): void {
    if (epoch <= this.#epoch) return
    this.#epoch = epoch
    this.#queue.clear()
    this.#hands.clear()
  }

  #lookLater(): void {
    const { machine } = this.#options
    this.#lookAt = machine.wakeAt(machine.now() + LOOK_MS, () => {
      this.#lookLater()
      void this.#read().catch(error => this.#complain(error))
    })
  }

  /** That the store is away is logged by itself. */
  #complain(error: unknown): void {
    if (!(error instanceof Refusal)) this.#options.log.error('the journal could not be shared', error)
  }
}
