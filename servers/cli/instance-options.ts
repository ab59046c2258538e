import { readClockSpec } from '../../shared/clock/spec.js'
import type { UnderstudyOptions } from '../understudy.js'
import { stderrLog } from './log.js'
import { asUsage, type Given, readChoice } from './options.js'

const CONTRACTS = ['documented', 'observed'] as const

/** What every command takes: clock, seed, contract, journal. */
export function instanceOptions(given: Given): UnderstudyOptions & { contract: (typeof CONTRACTS)[number] } {
  const seed = given.text('seed')
  const journalFile = given.text('journal')
  const clock = given.text('clock') ?? 'real'
  asUsage(() => readClockSpec(clock))
  return {
    clock,
    contract: readChoice(given, 'contract', CONTRACTS),
    log: stderrLog(),
    ...(seed !== undefined && { seed }),
    ...(journalFile !== undefined && { journalFile }),
  }
}
