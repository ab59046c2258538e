import type { ContractName } from '../../shared/contract.js'
import { Refusal } from '../../shared/errors.js'
import { readStore } from '../../shared/records/store-url.js'
import type { Log } from '../../shared/util/log.js'
import { defined } from '../../shared/util/objects.js'
import type { World } from '../../shared/world/world.js'
import type { DatabasesOptions } from '../instanode/databases/open-databases.js'
import { readWorld } from '../understudy/read-world.js'
import type { UnderstudyOptions } from '../understudy/understudy.js'
import type { INSTANCE_OPTIONS } from './commands.js'
import type { Values } from './options.js'
import { UsageError } from './usage-error.js'

/**
 * Returns the options that every stand-in has: clock, seed, contract, protocol, journal, stamp and store.
 *
 * @throws UsageError for `--journal-sync` without `--journal`
 * @throws Refusal `bad_store`
 */
export function instanceOptions(
  options: Values<(typeof INSTANCE_OPTIONS)[number]>,
): UnderstudyOptions & { contract: ContractName } {
  const { store, seed, clock, protocol, journal: journalFile, 'journal-sync': journalSync } = options
  if (journalSync && journalFile === undefined) {
    throw new UsageError('--journal-sync has no journal file', 'add --journal FILE')
  }
  // Refuses a bad URL before anything is opened.
  readStore(store)
  return {
    store,
    contract: options.contract,
    log: stderrLog(),
    stamp: options.stamp,
    // Exit code EX_SOFTWARE of sysexits.h shows a process monitor that the process has crashed.
    onCrash: () => process.exit(70),
    // Undefined if `--clock` is not given. The store then determines the clock.
    ...defined({ clock, seed, protocol, journalFile }),
    journalSync,
  }
}

/** Returns the options of the embedded or external databases. */
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
 * Returns a log that writes lines of JSON to stderr. The logger is loaded with the first line, because most
 * runs write none.
 *
 * @param after the log writes nothing before this promise resolves
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
