// @ts-check
// Writes docs/fidelity.md from the fidelity comments above the tests. CONTRIBUTING.md has the form of a comment.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const ROOT = join(import.meta.dirname, '../..')

export const PAGE = join(ROOT, 'docs/fidelity.md')

/**
 * @typedef {'same' | 'differs' | 'absent'} Status
 * @typedef {{ section: string, status: Status, text: string, file: string, title: string }} Behaviour
 * @typedef {{ behaviours: Behaviour[], problems: string[] }} Found
 * @typedef {{ path: string, source: string }} TestFile
 */

/**
 * The sections in the order of the page.
 *
 * @type {Record<string, { heading: string, note?: string }>}
 */
const SECTIONS = {
  'safebot/tasks': { heading: 'SafeBot: rooms, messages, tasks' },
  'safebot/http': { heading: 'SafeBot: HTTP API' },
  'safebot/mcp': { heading: 'SafeBot: MCP client' },
  replicas: {
    heading: 'Several replicas on one store',
    note: 'Callers of a service with several processes behind one address see one service. These rows are about the state that the processes share.',
  },
  'instanode/contracts': { heading: 'Instanode: two contracts' },
  'instanode/http': { heading: 'Instanode: endpoints' },
  'instanode/tiers': { heading: 'Instanode: tiers, limits, notes, expiry' },
  'instanode/cap': { heading: 'Instanode: daily cap' },
  'instanode/replicas': { heading: 'Instanode: several replicas on one store' },
  'instanode/claim': { heading: 'Instanode: claim' },
  'instanode/delete': { heading: 'Instanode: delete' },
  'instanode/list': { heading: 'Instanode: list' },
  'instanode/auth': { heading: 'Instanode: auth and tokens' },
  'instanode/names': { heading: 'Instanode: names and bodies' },
  'instanode/postgres': { heading: 'Instanode: Postgres' },
  'instanode/ids': { heading: 'Instanode: ids' },
  'instanode/headers': { heading: 'Instanode: headers and hostile requests' },
  'instanode/mcp': { heading: 'Instanode: MCP results' },
  'gateway/intercept': {
    heading: 'Gateway: Intercept’s YAML',
    note:
      'The built-in gateway enforces the documented policies of two products. [Policies](policies.md) lists where the gateway is stricter on purpose. ' +
      'With a binary of Intercept, `test/e2e/rehearsal/intercept.test.ts` compares both.',
  },
  'gateway/policylayer': { heading: 'Gateway: PolicyLayer’s policy.json' },
  'gateway/tool-page': { heading: 'Gateway: the form of the tool pages' },
}

const INTRODUCTION = `# Fidelity

Each row is a behaviour of a real service or product, and names the test that shows it.

- \`same\`: the stand-in has the same behaviour.
- \`differs\`: the stand-in has another behaviour on purpose. The row says which, and why.
- \`absent\`: the stand-in does not have the behaviour. The row says why.

The published words and the running service disagree in some points. \`--contract documented\` follows the published words.
\`--contract observed\` follows the running service. The differences are in \`servers/safebot/contract.ts\` and \`servers/instanode/contract.ts\`.

\`npm run fidelity\` writes this page from comments above the tests. [CONTRIBUTING.md](../CONTRIBUTING.md) has their form.
`

const BEGINNING = /^\s*(?:\/\/|#) fidelity\b\s*/i
const COMMENT = /^\s*(?:\/\/|#) ?/
const FORM = /^(\S+), (\S+): (.+\.)$/
const STATUSES = ['same', 'differs', 'absent']
const HERE = ' Here: '
const REASON = /\b(because|so that)\b/

const STRING = /(['"`])((?:\\.|(?!\1)[^\\])*)\1/s
const TEST = /^\s*(?:it|test|describe)\b/
/** A title follows the name of the function, or the table of an `each`. */
const TITLE = new RegExp(`^\\s*\\w+(?:\\(|[^]*?\\)\\()\\s*${STRING.source},`, 's')
/** A row of a contract or of a table: an object, a list, a spread, a text, a property, a call. */
const ROW = /^\s*(?:[{[('"`]|\.\.\.|(?!expect\()\w+[(:])/
const PYTHON_ROW = /^\s*expect\(/
/** A line that opens a block, and closes none. */
const OPENING = /^\s*[^\s\])}].*(?:[{([]|=>)$/
/** A row of a table that does not begin with a text. */
const LIST = /^\s*\[\s*[^\s'"`]/

/** Reads all files with tests. The paths begin with `test/`. */
export function readTestFiles() {
  return readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
    .filter(name => /\.(ts|py)$/.test(name))
    .map(name => join('test', name).replaceAll('\\', '/'))
    .sort()
    .map(path => ({ path, source: readFileSync(join(ROOT, path), 'utf8') }))
}

/**
 * Collects the behaviours of test files, in the order of the files and lines. A comment with a fault is no behaviour, but a problem
 * that begins with `path:line`.
 *
 * @param {TestFile[]} files
 * @returns {Found}
 */
export function collectBehaviours(files) {
  /** @type {Found} */
  const found = { behaviours: [], problems: [] }
  for (const { path, source } of files) {
    const lines = source.split('\n')
    for (const [at, line] of lines.entries()) {
      if (!BEGINNING.test(line)) continue
      const comment = readComment(lines, at)
      const title = titleBelow(lines, at, path.endsWith('.py') ? PYTHON_ROW : ROW)
      const fault = faultOf(comment, title)
      if (fault !== undefined) found.problems.push(`${path}:${at + 1}: ${fault}`)
      else found.behaviours.push({ ...parse(comment), file: path, title: title ?? '' })
    }
  }
  return found
}

/**
 * Formats the page.
 *
 * @param {Behaviour[]} behaviours
 */
export function formatPage(behaviours) {
  const count = (/** @type {Status} */ status) => behaviours.filter(one => one.status === status).length
  const counts = `${behaviours.length} behaviours: ${count('same')} same, ${count('differs')} differ, ${count('absent')} absent.\n`
  const sections = Object.entries(SECTIONS).map(([id, { heading, note }]) => {
    const rows = behaviours.filter(({ section }) => section === id).map(formatRow)
    const above = note === undefined ? '' : `${note}\n\n`
    return `## ${heading}\n\n${above}| behaviour | here | test |\n|---|---|---|\n${rows.join('')}`
  })
  return [INTRODUCTION, counts, ...sections].join('\n')
}

/** @param {Behaviour} behaviour */
function formatRow({ status, text, file, title }) {
  const [behaviour = '', here] = text.split(HERE)
  const cells = [
    behaviour,
    here === undefined ? status : `${status}: ${here}`,
    `\`${file}\` "${title.replaceAll(/[<*]/g, '\\$&')}"`,
  ]
  return `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |\n`
}

/**
 * Returns the text of a comment that may have several lines, without `fidelity`.
 *
 * @param {string[]} lines
 * @param {number} at
 */
function readComment(lines, at) {
  const words = [lines[at]?.replace(BEGINNING, '') ?? '']
  for (let next = at + 1; continues(lines[next]); next++) words.push(lines[next]?.replace(COMMENT, '') ?? '')
  return words.join(' ').trim()
}

/** @param {string | undefined} line */
function continues(line = '') {
  return COMMENT.test(line) && !BEGINNING.test(line)
}

/**
 * @param {string} comment
 * @param {string | undefined} title
 */
function faultOf(comment, title) {
  const [, section = '', status = '', text = ''] = FORM.exec(comment) ?? []
  if (text === '') return 'write "fidelity SECTION, same: TEXT." or differs or absent in the place of same'
  if (!Object.hasOwn(SECTIONS, section)) {
    return `unknown section "${section}": use one of ${Object.keys(SECTIONS).join(', ')}`
  }
  if (!STATUSES.includes(status)) return `unknown status "${status}": use one of ${STATUSES.join(', ')}`
  const [, here, ...more] = text.split(HERE)
  if (status === 'same' && here !== undefined) return '"Here:" belongs to differs and absent'
  if (status !== 'same' && (here === undefined || more.length > 0)) {
    return 'write the real behaviour, then "Here:" and the behaviour of the stand-in'
  }
  if (here !== undefined && !REASON.test(here)) return 'give the reason, with "because" or "so that"'
  if (title === undefined) return 'write the comment directly above a test or a contract row'
  return undefined
}

/**
 * @param {string} comment without a fault
 * @returns {Pick<Behaviour, 'section' | 'status' | 'text'>}
 */
function parse(comment) {
  const [, section = '', status, text = ''] = FORM.exec(comment) ?? []
  return { section, status: status === 'differs' || status === 'absent' ? status : 'same', text }
}

/**
 * Returns the title of the test or row below a comment, after the titles of the tests around it.
 *
 * @param {string[]} lines
 * @param {number} comment
 * @param {RegExp} row
 */
function titleBelow(lines, comment, row) {
  let at = comment
  while (COMMENT.test(lines[at] ?? '')) at++
  const line = lines[at] ?? ''
  const title = TEST.test(line) ? testTitle(lines, at) : row.test(line) ? rowTitle(lines, at) : undefined
  return title === undefined ? undefined : [...titlesAround(lines, at), title].join(' > ')
}

/**
 * @param {string[]} lines
 * @param {number} at
 */
function testTitle(lines, at) {
  return TITLE.exec(lines.slice(at).join('\n'))?.[2]
}

/**
 * Returns the first text of a row, or all of a row that begins with something else.
 *
 * @param {string[]} lines
 * @param {number} at
 */
function rowTitle(lines, at) {
  const depth = indentation(lines[at])
  const end = lines.findIndex((line, index) => index > at && indentation(line) <= depth)
  const row = lines.slice(at, end < 0 ? undefined : end).join('\n')
  return LIST.test(row) ? row.trim().replaceAll(/\s+/g, ' ').replace(/,?$/, '') : STRING.exec(row)?.[2]
}

/**
 * Returns the titles of the tests that hold a line, the outermost first. Formatted code shows them by their indentation.
 *
 * @param {string[]} lines
 * @param {number} at
 */
function titlesAround(lines, at) {
  const titles = []
  let depth = indentation(lines[at])
  for (let above = at - 1; above >= 0 && depth > 0; above--) {
    const line = lines[above] ?? ''
    if (indentation(line) >= depth || !OPENING.test(line)) continue
    depth = indentation(line)
    if (TEST.test(line)) titles.unshift(testTitle(lines, above))
  }
  return titles
}

/** @param {string | undefined} line */
function indentation(line = '') {
  return line.search(/\S|$/)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { behaviours, problems } = collectBehaviours(readTestFiles())
  if (problems.length > 0) {
    process.stderr.write(`${problems.join('\n')}\n`)
    process.exitCode = 1
  } else writeFileSync(PAGE, formatPage(behaviours))
}
