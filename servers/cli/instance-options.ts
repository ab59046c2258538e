import { readClockSpec } from '../../shared/clock/spec.js'
import { CONTRACT_NAMES, type ContractName } from '../../shared/contract.js'
import { Refusal } from '../../shared/errors.js'
import { checkStore } from '../../shared/records/store-url.js'
import { defined } from '../../shared/util/defined.js'
import type { Log } from '../../shared/util/log.js'
import type { World } from '../../shared/world/world.js'
import { checkSource, type DatabasesOptions } from '../instanode/databases/open-databases.js'
import { readWorld } from '../understudy/read-world.js'
import type { UnderstudyOptions } from '../understudy/understudy.js'
import { asUsage, type Given, readChoice, UsageError } from './options.js'

/** What every command takes: clock, seed, contract, journal, stamp, store. */
export function instanceOptions(given: Given): UnderstudyOptions & { contract: ContractName } {
  const seed = given.text('seed')
  const journalFile = given.text('journal')
  const journalSync = given.flag('journal-sync')
  if (journalSync && journalFile === undefined) {
    throw new UsageError('--journal-sync has no file', 'name one: --journal FILE')
  }
  const store = given.text('store') ?? 'memory'
  const clock = given.text('clock') ?? 'real'
  asUsage(() => readClockSpec(clock))
  checkStore(store)
  return {
    store,
    contract: readChoice(given, 'contract', CONTRACT_NAMES),
    log: stderrLog(),
    stamp: given.flag('stamp'),
    // EX_SOFTWARE of sysexits.h: to whoever watches the process, it has crashed.
    onCrash: () => process.exit(70),
    // The store decides about a clock that is not given.
    ...defined({ seed, clock: given.has('clock') ? clock : undefined }),
    ...(journalFile !== undefined && { journalFile, journalSync }),
  }
}

/**
 * Where live databases come from, and where embedded ones stay.
 *
 * @throws UsageError
 */
export function databaseOptions(given: Given): DatabasesOptions {
  // What they come from if nobody says depends on where the rest is kept.
  const databases = given.has('databases') ? given.text('databases') : undefined
  const dataDirectory = given.text('data-dir')
  if (databases !== undefined) asUsage(() => checkSource(databases))
  return {
    ...defined({ databases, dataDirectory }),
  }
}

/**
 * The world of `--world`. A name that is none is a matter of usage, a file that is none is not.
 *
 * @throws UsageError `unknown_world` in its words; Refusal `unreadable_world`, `bad_world`
 */
export async function worldOption(given: Given): Promise<World> {
  try {
    return await readWorld(given.text('world') ?? 'default')
  } catch (error) {
    if (error instanceof Refusal && error.code === 'unknown_world') {
      throw new UsageError(`--world: ${error.reason}`, error.hint)
    }
    throw error
  }
}

/** The log of the command: lines of JSON on stderr. The logger is loaded with its first line, for most runs have none. */
export function stderrLog(): Log {
  let loading: Promise<Log> | undefined
  const write = (level: keyof Log, message: string, cause: unknown) => {
    loading ??= openPino()
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
