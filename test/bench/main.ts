import { rewritePage } from './page.js'
import type { Measurement } from './row.js'
import { ROWS } from './rows/index.js'
import { table } from './table.js'

/** A program: `npm run bench -- [--write] [NAME…]` measures the rows of those names, or all, and prints a table. */
async function main(args: string[]): Promise<number> {
  const names = args.filter(arg => arg !== '--write')
  const known = ROWS.map(row => row.name)
  const unknown = names.filter(name => !known.includes(name))
  if (unknown.length > 0) {
    process.stderr.write(`no row is called ${unknown.join(', ')}: there are ${known.join(', ')}\n`)
    return 2
  }
  const write = args.includes('--write')
  if (write && names.length > 0) {
    process.stderr.write('--write puts the whole table on the page: leave the names out\n')
    return 2
  }
  const measurements: Measurement[] = []
  for (const row of ROWS.filter(({ name }) => names.length === 0 || names.includes(name))) {
    process.stderr.write(`measuring ${row.name}\n`)
    measurements.push(...(await row.measure()))
  }
  const measured = table(measurements)
  process.stdout.write(`${measured}\n`)
  if (write) await rewritePage(measured)
  return 0
}

process.exit(await main(process.argv.slice(2)))
