import { expect, it } from 'vitest'
import { CONTRACT_TABLE, contractOf } from '../../../servers/instanode/contract.js'

it.each(['documented', 'observed'] as const)('%s is the column of that name', name => {
  const column = Object.entries(CONTRACT_TABLE).map(([row, sides]) => [row, sides[name].value])
  expect(contractOf(name)).toEqual(Object.fromEntries(column))
})

// fidelity instanode/contracts, same: One table has the rows in which `documented` and `observed` differ,
// each with its source.
it('has rows in which the contracts differ, each with a source', () => {
  for (const [row, { documented, observed, source }] of Object.entries(CONTRACT_TABLE)) {
    expect([row, documented.value]).not.toEqual([row, observed.value])
    expect(source).not.toBe('')
  }
})
