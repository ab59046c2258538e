import { readClockSpec } from '../../shared/clock/spec.js'
import { CONTRACT_NAMES, type ContractName } from '../../shared/contract.js'
import { checkStore } from '../../shared/records/store-url.js'
import type { UnderstudyOptions } from '../understudy/understudy.js'
import { stderrLog } from './log.js'
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
    // What nobody asks for is the store's to say.
    ...(given.has('clock') && { clock }),
    contract: readChoice(given, 'contract', CONTRACT_NAMES),
    log: stderrLog(),
    stamp: given.flag('stamp'),
    // EX_SOFTWARE of sysexits.h: to whoever watches the process, it has crashed.
    onCrash: () => process.exit(70),
    ...(seed !== undefined && { seed }),
    ...(journalFile !== undefined && { journalFile, journalSync }),
  }
}
