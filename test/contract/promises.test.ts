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

  it('answers as the contract says, whatever is requested, and would fail with any other status', () => {
    expect(coverage.undecided).toBe(0)
  })

  it('requests every row of the contract', () => {
    expect(coverage.hit).toEqual(rows)
  })

  it('fails if any row of the contract is changed', () => {
    expect(coverage.noticed).toEqual(rows)
  })
})
