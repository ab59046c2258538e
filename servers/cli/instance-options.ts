import type { ContractName } from '../../shared/contract.js'
import { Refusal } from '../../shared/errors.js'
import { readStore } from '../../shared/records/store-url.js'
import { defined } from '../../shared/util/defined.js'
import type { Log } from '../../shared/util/log.js'
import type { World } from '../../shared/world/world.js'
import type { DatabasesOptions } from '../instanode/databases/open-databases.js'
import { readWorld } from '../understudy/read-world.js'
import type { UnderstudyOptions } from '../understudy/understudy.js'
import type { INSTANCE_OPTIONS } from './commands.js'
import type { Values } from './options.js'
import { UsageError } from './usage-error.js'

/**
 * Returns the options that every server takes: clock, seed, contract, protocol, journal, stamp, store.
 *
 * @throws UsageError for --journal-sync without a file
 * @throws Refusal `bad_store`
 */
export function instanceOptions(
  options: Values<(typeof INSTANCE_OPTIONS)[number]>,
): UnderstudyOptions & { contract: ContractName } {
  const { store, seed, clock, protocol, journal: journalFile, 'journal-sync': journalSync } = options
  if (journalSync && journalFile === undefined) {
    throw new UsageError('--journal-sync has no file', 'name one: --journal FILE')
  }
  // Refuses a bad URL before anything is opened.
  readStore(store)
  return {
    store,
    contract: options.contract,
    log: stderrLog(),
    stamp: options.stamp,
    // EX_SOFTWARE of sysexits.h, so that a process monitor sees a crash.
    onCrash: () => process.exit(70),
    // Without `--clock`, the store determines the clock.
    ...defined({ clock, seed, protocol }),
    ...(journalFile !== undefined && { journalFile, journalSync }),
  }
}

/** Returns the options for databases. */
export function databaseOptions(options: Values<'databases' | 'data-dir'>): DatabasesOptions {
  return defined({ databases: options.databases, dataDirectory: options['data-dir'] })
}

/**
 * Reads the world of `--world`.
 *
 * @throws UsageError for an unknown name
 * @throws Refusal `unreadable_world`, `bad_world` for a file
 */
export async function worldOption({ world }: Values<'world'>): Promise<World> {
  try {
    return await readWorld(world)
  } catch (error) {
    if (error instanceof Refusal && error.code === 'unknown_world') {
      throw new UsageError(`--world: ${error.reason}`, error.hint)
    }
    throw error
  }
}

/**
 * Returns the log of the command, which writes lines of JSON to stderr. The logger is loaded for the first
 * line, because most runs have none.
 *
 * @param after no line is written before this promise resolves
 */
export function stderrLog(after: Promise<void> = Promise.resolve()): Log {
  let loading: Promise<Log> | undefined
  const write = (level: keyof Log, message: string, cause: unknown) => {
    loading ??= after.then(openPino)
    void loading.then(log => log[level](message, cause))
  }
  return {
    warn: (message, cause) => write('warn', message, cause),
    error: (message, cause) => write('error', message, cause),
  }
}

async function openPino(): Promise<Log> {
  const { pino } = await import('pino')
  const logger = pino({ base: null }, pino.destination({ dest: 2, sync: true }))
  return {
    warn: (message, cause) => logger.warn({ err: cause }, message),
    error: (message, cause) => logger.error({ err: cause }, message),
  }
}
