import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '../..')
const HEADING = '| behaviour | here | test |'
const HERE = /^(same|differs|not there)(: .+)?$/
const PROOF = /^`test\/([\w./-]+)` "(.+)"$/

/** The rows of every table of the page. */
function rowsOf(page: string): string[] {
  return page.split('\n').filter(line => line.startsWith('|') && line !== HEADING && !/^[|\s-]+$/.test(line))
}

/** Returns the fault of a row, if it has one. */
function faultOf(row: string): string | undefined {
  const [behaviour, here, proof, ...more] = row
    .split('|')
    .slice(1, -1)
    .map(cell => cell.trim())
  if (!behaviour || here === undefined || proof === undefined || more.length > 0) return 'is no row of three'
  const [, word, reason] = HERE.exec(here) ?? []
  if (word === undefined) return 'says neither same, nor differs, nor not there'
  if (word !== 'same' && reason === undefined) return 'gives no reason'
  return proof
    .split(/; (?=`)/)
    .map(faultOfProof)
    .find(fault => fault !== undefined)
}

function faultOfProof(proof: string): string | undefined {
  const [, path = '', title = ''] = PROOF.exec(proof) ?? []
  const file = join(root, 'test', path)
  if (path === '' || !existsSync(file)) return 'names no test'
  return readFileSync(file, 'utf8').includes(title) ? undefined : `names a test that ${path} does not have`
}

describe('the fidelity page', () => {
  const rows = rowsOf(readFileSync(join(root, 'docs/fidelity.md'), 'utf8'))

  it('has a test for every row', () => {
    const faults = rows.flatMap(row => {
      const fault = faultOf(row)
      return fault === undefined ? [] : [`${fault}: ${row}`]
    })
    expect(faults).toEqual([])
    expect(rows.length).toBeGreaterThan(30)
  })

  it.each([
    ['| it works | same | |', 'names no test'],
    ['| it works | same | `test/unit/nothing.test.ts` "x" |', 'names no test'],
    ['| it works | same | `test/unit/ids.test.ts` "no such title" |', 'does not have'],
    ['| it works | differs | `test/unit/ids.test.ts` "describe" |', 'gives no reason'],
    ['| it works | perhaps | `test/unit/ids.test.ts` "describe" |', 'says neither'],
    ['| it works | `test/unit/ids.test.ts` "describe" |', 'is no row of three'],
  ])('would not have %s', (row, fault) => {
    expect(faultOf(row)).toContain(fault)
  })

  it('would have a row that is in order', () => {
    expect(faultOf('| a row | same | `test/house/fidelity.test.ts` "would not have" |')).toBeUndefined()
  })
})
