import { readFile, writeFile } from 'node:fs/promises'

const PAGE = 'docs/performance.md'
const BEGIN = '<!-- bench:begin -->'
const END = '<!-- bench:end -->'

/**
 * Puts `table` between the two markers of the page on performance.
 *
 * @throws if the page has no such markers
 */
export async function rewritePage(table: string): Promise<void> {
  const page = await readFile(PAGE, 'utf8')
  const begin = page.indexOf(BEGIN)
  const end = page.indexOf(END)
  if (begin < 0 || end < begin) throw new Error(`${PAGE} lacks ${BEGIN} or ${END}`)
  await writeFile(PAGE, `${page.slice(0, begin + BEGIN.length)}\n${table}\n${page.slice(end)}`)
}
