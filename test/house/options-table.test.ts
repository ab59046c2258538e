import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { PAGE, withTable } from './options-table.mjs'

it('the table of options in docs/cli.md is current: `npm run docs` writes it', () => {
  const page = readFileSync(PAGE, 'utf8')
  expect(page).toBe(withTable(page))
})
