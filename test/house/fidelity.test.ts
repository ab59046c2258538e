import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { collectBehaviours, formatPage, PAGE, readTestFiles } from './fidelity.mjs'

/** The lines of a test file with one comment above one test. */
const fileOf = (comment: string, below = "it('opens a room', async () => {") => [
  { path: 'test/x.test.ts', source: [...comment.split('\n'), below, '})'].join('\n') },
]

const problemsOf = (comment: string, below?: string) => collectBehaviours(fileOf(comment, below)).problems

const titleOf = (...lines: string[]) =>
  collectBehaviours([{ path: 'test/x.test.ts', source: lines.join('\n') }]).behaviours[0]?.title

describe('the fidelity page', () => {
  const { behaviours, problems } = collectBehaviours(readTestFiles())

  it('has a test for each behaviour, and a reason for each difference', () => {
    expect(problems).toEqual([])
    expect(behaviours.length).toBeGreaterThan(300)
  })

  it('is current: `npm run fidelity` writes it', () => {
    expect(readFileSync(PAGE, 'utf8')).toBe(formatPage(behaviours))
  })

  it('is not current after a change of a comment or of a title', () => {
    const [first, ...others] = behaviours
    for (const change of [{ text: 'Something else.' }, { title: 'another title' }, { status: 'absent' }]) {
      const changed = [Object.assign({}, first, change), ...others]
      expect(formatPage(changed)).not.toBe(readFileSync(PAGE, 'utf8'))
    }
    expect(formatPage(others)).not.toBe(readFileSync(PAGE, 'utf8'))
  })
})

describe('a fidelity comment', () => {
  it('is a row in its section, with the path and title of the test', () => {
    const { behaviours } = collectBehaviours(
      fileOf(
        '  // fidelity instanode/claim, differs: Both accounts\n  // get 200. Here: One gets 404, because a|b.',
      ),
    )
    const page = formatPage(behaviours)
    expect(page).toContain(
      '| Both accounts get 200. | differs: One gets 404, because a\\|b. | `test/x.test.ts` "opens a room" |',
    )
    expect(page).toContain('1 behaviours: 0 same, 1 differ, 0 absent.')
    expect(page.indexOf('## Instanode: claim')).toBeLessThan(page.indexOf('Both accounts'))
    expect(page.indexOf('Both accounts')).toBeLessThan(page.indexOf('## Instanode: delete'))
  })

  it('may stand above another one for the same test', () => {
    const { behaviours } = collectBehaviours(
      fileOf('// fidelity replicas, same: One.\n// fidelity replicas, same: Two.'),
    )
    expect(behaviours.map(({ text, title }) => [text, title])).toEqual([
      ['One.', 'opens a room'],
      ['Two.', 'opens a room'],
    ])
  })

  it.each([
    ['// fidelity replicas: It works.', 'write "fidelity SECTION, same: TEXT."'],
    ['// fidelity replicas, same: It works', 'write "fidelity SECTION, same: TEXT."'],
    ['// Fidelity of the rooms.', 'write "fidelity SECTION, same: TEXT."'],
    ['// fidelity safebot/kitchen, same: It works.', 'unknown section "safebot/kitchen"'],
    ['// fidelity constructor, same: It works.', 'unknown section "constructor"'],
    ['// fidelity replicas, perhaps: It works.', 'unknown status "perhaps"'],
    ['// fidelity replicas, same: It works. Here: It works.', '"Here:" belongs to'],
    ['// fidelity replicas, differs: It works.', 'write the real behaviour, then "Here:"'],
    ['// fidelity replicas, absent: A. Here: B, because. Here: C.', 'write the real behaviour, then "Here:"'],
    ['// fidelity replicas, differs: It works. Here: It fails.', 'give the reason'],
    ['// fidelity replicas, absent: It works. Here: It fails.', 'give the reason'],
  ])('is refused: %s', (comment, problem) => {
    expect(problemsOf(comment)).toEqual([expect.stringContaining(`test/x.test.ts:1: ${problem}`)])
  })

  it.each([
    '',
    'const room = 7',
    "import { it } from 'vitest'",
    '})',
    "expect(room).toBe('x')",
    "const test = 'x'",
    '7,',
  ])('is refused without a test below it: %s', below => {
    expect(problemsOf('// fidelity replicas, same: It works.', below)).toEqual([
      'test/x.test.ts:1: write the comment directly above a test or a contract row',
    ])
  })

  it.each([
    ["it('a title', async () => {", 'a title'],
    ['describe("a title", () => {', 'a title'],
    ["it.each(['a', 'b'])('a title %s', async () => {", 'a title %s'],
    ["it.each([\n  ['a', 1],\n] as const)('a title %s', async () => {", 'a title %s'],
    ["it.skipIf(one === 2)(\n  'a title',\n  async () => {", 'a title'],
    ["{\n  request: 'a title',\n  status: 200,\n},", 'a title'],
    ["...{ what: 'a title', status: 200 },", 'a title'],
    ["refused('a title', 401, async () => {", 'a title'],
    ["['a title', 7],", 'a title'],
    ["[{ a: 1 }, ['b']],", "[{ a: 1 }, ['b']]"],
    [`request: \`a title of \${handle}\`,`, `a title of \${handle}`],
  ])('takes the title of %s', (below, title) => {
    expect(titleOf('// fidelity replicas, same: It works.', ...below.split('\n'))).toBe(title)
  })

  it('takes the titles of the tests around a test or a row, and no others', () => {
    const comment = '// fidelity replicas, same: It works.'
    const before = ["describe('another part', () => {", "  it('does more', () => {})", '})']
    expect(
      titleOf(
        ...before,
        "describe('a part', () => {",
        "  it('works', () => {})",
        `  ${comment}`,
        "  it('ends', () => {})",
      ),
    ).toBe('a part > ends')
    expect(titleOf('it.each([', `  ${comment}`, "  ['a', 1],", "])('is %s', () => {})")).toBe('is %s > a')
    expect(titleOf(...before, 'const ROWS = [', `  ${comment}`, "  ['a', 1],", ']')).toBe('a')
    expect(titleOf(...before, 'for (const a of b) {', `  ${comment}`, "  it('ends', () => {})", '}')).toBe(
      'ends',
    )
  })

  it('stands above an expectation in Python', () => {
    const source = ['    # fidelity replicas, same: It works.', '    expect("it works", 1, 1)'].join('\n')
    expect(collectBehaviours([{ path: 'test/python/x.py', source }]).behaviours).toMatchObject([
      { section: 'replicas', title: 'it works' },
    ])
  })
})
