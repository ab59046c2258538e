import { Clock } from '../../shared/clock/clock.js'
import { type ClockMode, readClockSpec } from '../../shared/clock/spec.js'
import { Refusal } from '../../shared/errors.js'
import { FaultTable } from '../../shared/faults/table.js'
import { IdSource } from '../../shared/ids.js'
import type { Instance } from '../../shared/instance.js'
import { Journal } from '../../shared/journal/journal.js'
import { Tally } from '../../shared/journal/tally.js'
import { REVISIONS } from '../../shared/mcp/revisions.js'
import { Catalogue } from '../../shared/overlays/overlays.js'
import { MemoryRecords } from '../../shared/records/memory-records.js'
import type { Records } from '../../shared/records/records.js'
import type { Sharing, SharingOptions } from '../../shared/records/sharing.js'
import type { StoreDatabase } from '../../shared/records/store-database.js'
import { MEMORY } from '../../shared/records/store-url.js'
import { JsonLinesFile } from '../../shared/util/json-lines-file.js'
import { KnownTools } from '../../shared/util/known-tools.js'
import { type Log, silentLog } from '../../shared/util/log.js'
import { defined } from '../../shared/util/objects.js'

export interface InstanceOptions {
  /**
   * The clock: `real`, `manual` or `manual@2026-01-01T00:00:00Z`. Default: the clock of the store, or `real`.
   */
  clock?: string
  /** The seed of all ids, tokens and keys. Default: a random seed. */
  seed?: string
  /** A file to which the journal is appended as JSON lines. Default: no file. */
  journalFile?: string
  /**
   * Whether each call is written to `journalFile` and flushed to the disk before the call is answered. On
   * many disks, a flush blocks the process for milliseconds. Default false. The last calls can then be
   * missing in the file if the process is killed.
   */
  journalSync?: boolean
  /**
   * Whether the journal records requests. If false, all checks of the journal throw errors. Tests of
   * performance use false. Default true.
   */
  journal?: boolean
  /**
   * Whether HTTP answers have headers with the name of this instance and the number of the journal entry.
   * Default false, because the real services have no such headers.
   */
  stamp?: boolean
  /**
   * Called after a `crash` fault has cut all connections. The function can end the process. Default: the
   * process continues.
   */
  onCrash?: () => void
  /**
   * The store: `memory`, or the `postgres://` URL of a database that several instances share. Default
   * `memory`.
   */
  store?: string
  /** Receives log messages. Default: messages are discarded. */
  log?: Log
}

/** The names of tools, by server. */
export type ToolNames = ReadonlyMap<string, readonly string[]>

/**
 * Creates an instance without servers.
 *
 * @param elsewhere tools that queries of the journal may name although this replica does not have them,
 *   because another replica can have them
 * @throws Refusal for a clock, a journal file or a store that cannot be used, or for a clock that differs
 *   from the clock of the store
 */
export async function createInstance(
  options: InstanceOptions = {},
  elsewhere: ToolNames = new Map(),
): Promise<Instance> {
  const closing: Closing = []
  try {
    return await assembled(options, elsewhere, closing)
  } catch (error) {
    await closeAll(closing)
    throw error
  }
}

/** The functions that close the parts of an instance, in the order in which the parts were opened. */
type Closing = (() => unknown)[]

async function closeAll(closing: Closing): Promise<void> {
  for (const close of closing.toReversed()) await close()
}

async function assembled(
  options: InstanceOptions,
  elsewhere: ToolNames,
  closing: Closing,
): Promise<Instance> {
  const log = options.log ?? silentLog
  const onError = (error: unknown) => log.error('a wake-up failed', error)
  const clock = new Clock({ ...readClockSpec(options.clock ?? 'real'), onError })
  const machine = new Clock({ onError })
  closing.push(() => machine.close())
  const { store: url = MEMORY } = options
  const store = url === MEMORY ? undefined : await openStore(url, machine, log)
  closing.push(() => store?.close())
  const records = store === undefined ? new MemoryRecords() : await openRecords(store)
  closing.push(() => records.close())
  const ids = new IdSource(seedOf(options.seed, store))
  const name = `understudy-${ids.stream('instance').hex(8)}`
  const file = await openFile(options, log)
  closing.push(() => file?.close())
  closing.push(() => clock.close())
  const knownTools = new KnownTools()
  const tally = new Tally(knownTools, REVISIONS)
  const catalogue = new Catalogue(knownTools)
  const journalOn = options.journal ?? true
  const journal = new Journal({
    clock,
    machine,
    instance: name,
    enabled: journalOn,
    tally,
    known: {
      servers: () => [...new Set([...knownTools.servers(), ...elsewhere.keys()])],
      tools(server) {
        const here = knownTools.servers().includes(server) ? catalogue.callableNames(server) : []
        return [...new Set([...here, ...(elsewhere.get(server) ?? [])])]
      },
    },
    onError: error => log.error('a listener of the journal failed', error),
    ...defined({ file }),
  })
  const sharing =
    store &&
    (await share({
      store,
      records,
      name,
      clock,
      machine,
      log,
      journal: journalOn ? journal : undefined,
      asked: modeOf(options.clock),
    }))
  closing.push(() => sharing?.close())
  closing.push(() => journal.stop())
  return {
    name,
    clock,
    machine,
    ids,
    journal,
    tally,
    faults: new FaultTable(knownTools),
    catalogue,
    knownTools,
    records,
    store,
    sharing,
    stamp: options.stamp ?? false,
    log,
    crashed() {
      // All journal entries are written before `onCrash` is called, because `onCrash` can end the process.
      if (file === undefined && sharing === undefined) options.onCrash?.()
      else void Promise.all([file?.flush(), sharing?.flush()]).then(() => options.onCrash?.())
    },
    close: () => closeAll(closing),
  }
}

/**
 * Opens the journal file. Undefined if the options name no file.
 *
 * @throws Refusal `journal_sync`, `journal_file`
 */
async function openFile(
  { journalFile, journalSync: sync = false }: InstanceOptions,
  log: Log,
): Promise<JsonLinesFile | undefined> {
  if (journalFile !== undefined) {
    const onError = (error: unknown) => log.error('the journal file failed', error)
    return JsonLinesFile.open('journal', journalFile, onError, { sync })
  }
  if (!sync) return undefined
  throw new Refusal(
    'journal_sync',
    'journalSync is true, and there is no journalFile',
    'set journalFile, or leave out journalSync',
  )
}

/**
 * Shares the clock and the journal through a store. The code for sharing is loaded here, because most
 * instances have no store.
 */
async function share(options: SharingOptions): Promise<Sharing> {
  const { share } = await import('../../shared/records/sharing.js')
  return share(options)
}

function modeOf(clock: string | undefined): ClockMode | undefined {
  return clock === undefined ? undefined : readClockSpec(clock).mode
}

/** Opens a store. The code of stores is loaded here, because most instances have no store. */
async function openStore(url: string, machine: Clock, log: Log): Promise<StoreDatabase> {
  const { StoreDatabase } = await import('../../shared/records/store-database.js')
  return StoreDatabase.open({ url, machine, log })
}

/** Opens the records of a store. The code is loaded here, because most instances have no store. */
async function openRecords(store: StoreDatabase): Promise<Records> {
  const { PostgresRecords } = await import('../../shared/records/postgres-records.js')
  return PostgresRecords.open(store)
}

/**
 * Returns the seed of the ids. With a store, the seed is different for each replica and each start, so that
 * no two ids in a store are equal.
 */
function seedOf(seed: string | undefined, store: StoreDatabase | undefined): string | undefined {
  return seed === undefined || store === undefined ? seed : `${seed} of replica ${store.replica}`
}
