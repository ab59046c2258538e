import { beforeAll, describe, expect, it } from 'vitest'
import { CONTRACT_TABLE as INSTANODE_ROWS } from '../../servers/instanode/contract.js'
import { CONTRACT_TABLE as SAFEBOT_ROWS } from '../../servers/safebot/contract.js'
import { CONTRACT_NAMES } from '../../shared/contract.js'
import { type Coverage, check } from './promises/check.js'
import { INSTANODE } from './promises/instanode.js'
import { InstanodeRun } from './promises/instanode-run.js'
import { SAFEBOT } from './promises/safebot.js'
import { SafebotRun } from './promises/safebot-run.js'

const rowsOf = (table: object) => Object.keys(table).sort()

const SERVERS = CONTRACT_NAMES.flatMap(contract => [
  {
    ...{ server: 'Instanode', contract, rows: rowsOf(INSTANODE_ROWS) },
    judge: () =>
      check({ start: InstanodeRun.start, table: INSTANODE, contract, rows: rowsOf(INSTANODE_ROWS) }),
  },
  {
    ...{ server: 'Safebot', contract, rows: rowsOf(SAFEBOT_ROWS) },
    judge: () => check({ start: SafebotRun.start, table: SAFEBOT, contract, rows: rowsOf(SAFEBOT_ROWS) }),
  },
])

describe.each(SERVERS)('$server, $contract', ({ judge, rows }) => {
  let coverage: Coverage

  beforeAll(async () => {
    coverage = await judge()
  })

  it('keeps its promises whatever is requested, and no answer would pass with another status', () => {
    expect(coverage.undecided).toBe(0)
  })

  it('is asked about each row of the contract', () => {
    expect(coverage.hit).toEqual(rows)
  })

  it('would be found out with any row switched', () => {
    expect(coverage.noticed).toEqual(rows)
  })
})
