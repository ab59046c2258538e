import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '../..')
const FOLDERS = ['servers', 'shared', 'test']

/** Folders whose sentences are not rewritten yet. Remove a folder from this list once the rule finds nothing there. */
const NOT_DONE = ['test/e2e/gateway', 'test/e2e/rehearsal', 'test/unit/page']

/** This file quotes what the rule finds. */
const OWN_FILE = 'test/house/plain-words.test.ts'

function sources(): { path: string; text: string }[] {
  return FOLDERS.flatMap(folder =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter(name => /\.(tsx?|mjs)$/.test(name))
      .map(name => join(folder, name)),
  ).map(path => ({ path, text: readFileSync(join(root, path), 'utf8') }))
}

/** A sentence that the rule refuses, and the line where its comment or text begins. */
interface HardSentence {
  line: number
  sentence: string
}

/** Messages of the real services that the rule would refuse. They stay as the services write them. */
const OF_THE_SERVICES: readonly string[] = []

/** A sentence that begins with a free relative. A question does not. */
const FREE_RELATIVE = /^(what|who|whom|whose|whoever|whatever|whichever|where|wherever)\b(?!.*\?)/i
const PERSON = /\b(somebody|nobody|whom|whoever)\b/i

/** Texts of fewer words are values, not sentences. */
const FEWEST_WORDS = 4

const COMMENT = /\/\*\*?([\s\S]*?)\*\/|(?<=^|\s)\/\/ ?(.*)/g
const STRING = /'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`|>([^<>{}=;]+)</g
const OF_A_TOOL = /^(biome|eslint|ts-|@ts|v8 |c8 |#region)/
const SQL = /^(select|insert|update|delete|create|with|alter|begin|drop|revoke|grant)\b/i

/**
 * Finds the hard sentences in the comments and texts of a source file. A hard sentence begins with a free relative, such as
 * `What is …`, or names a person, such as `somebody`.
 *
 * @param source TypeScript
 * @param spared texts that are not judged. Default: those of the real services
 */
function findHardWords(source: string, spared = OF_THE_SERVICES): HardSentence[] {
  const found: HardSentence[] = []
  const lineOf = (at: number) => source.slice(0, at).split('\n').length
  const judge = (text: string, at: number) => {
    for (const sentence of sentencesOf(text)) {
      if (FREE_RELATIVE.test(sentence) || PERSON.test(sentence)) found.push({ line: lineOf(at), sentence })
    }
  }
  for (const match of source.matchAll(COMMENT)) {
    const text = (match[1] ?? match[2] ?? '').replace(/^\s*\* ?/gm, '').trim()
    if (!OF_A_TOOL.test(text)) judge(text, match.index)
  }
  for (const match of withoutComments(source).matchAll(STRING)) {
    const text = (match[1] ?? match[2] ?? match[3] ?? match[4] ?? '').replace(/\$\{[^}]*\}/g, 'X').trim()
    if (!SQL.test(text) && !spared.includes(text)) judge(text, match.index)
  }
  return found
}

/** Blanks the comments of a source. All other characters keep their places. */
function withoutComments(source: string): string {
  return source.replace(COMMENT, comment => comment.replace(/[^\n]/g, ' '))
}

function sentencesOf(text: string): string[] {
  return text
    .replace(/`[^`]*`|"[^"\n]*"/g, 'X')
    .replace(/@(?:returns?|throws)\s|@param\s+\S+\s/g, '\n\n')
    .split(/(?<=[.!?])\s+(?=[A-Z])|\n\s*\n|\n\s*(?:[-*]|\d+\.)\s/)
    .map(sentence => sentence.replace(/\s+/g, ' ').trim())
    .filter(sentence => sentence.split(' ').length >= FEWEST_WORDS)
}

/** Returns the findings in a text as `line: sentence`. */
const found = (text: string) => findHardWords(text).map(({ line, sentence }) => `${line}: ${sentence}`)

describe('comments and messages', () => {
  it('begin with no free relative, and contain no "somebody"', () => {
    const findings = sources()
      .filter(({ path }) => path !== OWN_FILE)
      .filter(({ path }) => !NOT_DONE.some(folder => path.startsWith(`${folder}/`)))
      .flatMap(({ path, text }) => found(text).map(finding => `${path}:${finding}`))
    expect(findings).toEqual([])
  })
})

describe('the rule on plain words', () => {
  it.each([
    ['a docstring', '/** What is in a room. */', '1: What is in a room.'],
    [
      'a later sentence',
      '/** Ends a lease. Whoever waits gets the task. */',
      '1: Whoever waits gets the task.',
    ],
    ['a line comment', 'call()\n// Where the file goes.', '2: Where the file goes.'],
    [
      'a tag',
      '/**\n * Ends it.\n *\n * @param why what the client is told\n */',
      '1: what the client is told',
    ],
    [
      'a text over two lines',
      '/**\n * Sends a message to\n * somebody else.\n */',
      '1: Sends a message to somebody else.',
    ],
    ['an error', "throw new Error('nobody has this handle')", '1: nobody has this handle'],
    [
      'a description',
      "z.int().describe('what counts against the limit')",
      '1: what counts against the limit',
    ],
    ['a name of a test', "it('who owns it may end it', f)", '1: who owns it may end it'],
    ['a template', `log(\`the caller for whom $\{name} waits\`)`, '1: the caller for whom X waits'],
    ['a text of the page', '<p>Nobody is here at all</p>', '1: Nobody is here at all'],
  ])('finds %s', (_, text, finding) => {
    expect(found(text)).toEqual([finding])
  })

  it.each([
    ['a question', '/** Who has the lease? */'],
    ['a question in a list of cases', "it('what is left of the quota?', f)"],
    ['a relative clause', '/** The error that says what is wrong. */'],
    ['a word that is quoted', '/** Matches `what is` and "somebody". */'],
    ['a short text', "const kinds = ['what', 'where', 'nobody']"],
    ['an identifier', 'const whom = whatIsLeft(somebody)'],
    ['SQL', 'run(`SELECT what FROM nobody WHERE whom = 1 ORDER BY who`)'],
    ['a mark of another tool', '// biome-ignore lint/a: what is here'],
    ['a text that a fixture holds', "say(room, 'what happened in here?')"],
  ])('accepts %s', (_, text) => {
    expect(found(text)).toEqual([])
  })

  it('accepts a message of the real service, which is listed', () => {
    expect(found("const error = 'no such handle, or nobody has registered it'")).toHaveLength(1)
    expect(
      findHardWords("const error = 'no such handle, or nobody has registered it'", [
        'no such handle, or nobody has registered it',
      ]),
    ).toEqual([])
  })
})
