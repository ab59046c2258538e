// @ts-check
// Writes the table of options into docs/cli.md. Needs a build: the table is made of the definitions that --help is made of.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { commandsWith, defaultOf } from '#built/servers/cli/commands.js'
import { OPTION_NAMES, OPTIONS } from '#built/servers/cli/options.js'

export const PAGE = join(import.meta.dirname, '../../docs/cli.md')

const [BEGIN, END] = ['<!-- options -->\n', '<!-- end of options -->\n']

/**
 * Replaces the table of options in a page.
 *
 * @param {string} page
 * @returns {string}
 * @throws {Error} if the page has no place for the table
 */
export function withTable(page) {
  const [before, rest] = page.split(BEGIN)
  const [, after] = rest?.split(END) ?? []
  if (after === undefined) throw new Error(`docs/cli.md has no ${BEGIN.trim()} … ${END.trim()}`)
  const rows = OPTION_NAMES.map(row).join('')
  return `${before}${BEGIN}| option | commands | default | meaning |\n|---|---|---|---|\n${rows}${END}${after}`
}

/** @param {import('#built/servers/cli/options.js').OptionName} name */
function row(name) {
  /** @type {import('#built/servers/cli/options.js').Option} */
  const { argument, otherwise, help, default: fixed } = OPTIONS[name]
  const commands = commandsWith(name)
  const others = commands
    .map(command => ({ command, value: defaultOf(command, name) }))
    .filter(({ value }) => value !== fixed)
    .map(({ command, value }) => `; ${command}: \`${value}\``)
  const unset = fixed === undefined ? (otherwise ?? '') : `\`${fixed}\``
  const usage = argument === undefined ? `--${name}` : `--${name} ${argument}`
  return `| \`${usage}\` | ${commands.join(', ')} | ${unset}${others.join('')} | ${help} |\n`
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  writeFileSync(PAGE, withTable(readFileSync(PAGE, 'utf8')))
}
