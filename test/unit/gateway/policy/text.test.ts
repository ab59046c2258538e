import { describe, expect, it } from 'vitest'
import { PolicyRefusal } from '../../../../servers/gateway/policy/problems.js'
import { readPolicy } from '../../../../servers/gateway/policy/read-policy.js'
import { problemsOf } from '../../../support/gateway/policy.js'

describe('YAML', () => {
  it.each([
    ['version: &v "1"\ndescription: *v', ['1: has the anchor &v', '2: has the alias *v']],
    // fidelity gateway/intercept, differs: Merge keys are accepted. Here: They are refused, so that the file
    // shows each rule that is enforced.
    ['version: "1"\n<<: { default: deny }', ['2: has the merge key <<']],
    // fidelity gateway/intercept, differs: Tags are accepted. Here: They are refused, so that the file shows
    // each value that is enforced.
    ['version: !!str 1', ['1: has the tag tag:yaml.org,2002:str']],
    ['version: "1"\ndefault: !deny x', ['2: has the tag !deny']],
    ['%YAML 1.1\n---\nversion: "1"', ['1: has a %YAML directive']],
    ['version: "1"\nversion: "1"', ['2: has the key "version" twice']],
    ['version: "1"\n---\nversion: "1"', [expect.stringContaining('has a second document')]],
    ['version: "1"\n? [a]\n: b', ['2: has a key that is not a string']],
    ['version: "1"\ntools:\n\tx: 1', [expect.stringMatching(/^3: is not YAML/)]],
    ['tools: {', [expect.stringMatching(/^1: is not YAML/)]],
    ['version: "1"\ntools: { t: { rules: [{ name: .inf }] } }', ['2: has the number Infinity']],
    ['', ['1: the text is empty']],
    ['# nothing', ['1: the text is empty']],
    ['- a\n- b', ['1: the text is not a map']],
    ['just words', ['1: the text is not a map']],
  ])('%j', (text, problems) => {
    expect(problemsOf(text)).toEqual(problems)
  })

  // fidelity gateway/intercept, differs: Anchors and aliases are accepted. Here: They are refused, so that
  // the file shows each rule that is enforced.
  it('refuses anchors and aliases that would expand without end', () => {
    const bomb = ['a: &a [x, x]', 'b: &b [*a, *a]', 'c: &c [*b, *b]', 'd: [*c, *c]'].join('\n')
    expect(problemsOf(bomb).slice(0, 2)).toEqual(['1: has the anchor &a', '2: has the anchor &b'])
  })
})

describe('JSON', () => {
  it.each([
    ['{"version":"1",\n"default":"deny",\n}', ['3: has a comma before its }']],
    ['{"version":"1",\n"default":"deny","hide":["x",]}', ['2: has a comma before its ]']],
    ['{"version":"2",\n"default":"deny",}', ['1: version is "2"', '2: has a comma before its }']],
    ['{"version":"1"\n"default":"deny"}', ['2: lacks a comma']],
    ['{"version" "1"}', ['1: lacks a colon']],
    ['{"version":"1"', ['1: ends before its object does']],
    ['{"hide":["a"', ['1: ends before its list does']],
    ['{"version":"1"}\n{}', ['2: has more text after its end']],
    ['{\n// why\n"version":"1"}', ['2: has a comment']],
    ["{'version':'1'}", ['1: has a word that JSON does not know']],
    [
      '{"version":"1","version":"1"}',
      [expect.stringContaining('has the key "version" twice'), expect.any(String)],
    ],
    [
      '{"version":"1","default":"deny","x":1e999}',
      [expect.stringContaining('number that is too large'), expect.any(String)],
    ],
    ['', ['1: the text is empty']],
    ['[]', ['1: the text is not a map']],
  ])('%j', (text, problems) => {
    expect(problemsOf(text, 'policy.json')).toEqual(problems)
  })

  it('accepts a byte order mark', () => {
    expect(readPolicy('\ufeff{"version":"1","default":"deny"}', 'policy.json').dialect).toBe('policylayer')
  })
})

it.each([
  ['a list in a list in …', '['.repeat(100_000)],
  ['a block in a block in …', '- '.repeat(20_000)],
  ['blocks by indentation', Array.from({ length: 300 }, (_, at) => `${' '.repeat(at)}a:`).join('\n')],
  ['a very long text', `version: "${'1'.repeat(300_000)}"`],
])('%s is refused before it is parsed', (_, text) => {
  for (const file of ['policy.yaml', 'policy.json']) {
    expect(() => readPolicy(text, file)).toThrow(PolicyRefusal)
  }
})

it('the format of a file follows from its ending, or else from its first character', () => {
  const json = '{"version":"1","default":"deny",}'
  expect(problemsOf(json, 'policy.json')).toEqual(['1: has a comma before its }'])
  expect(problemsOf(json, 'policy')).toEqual(['1: has a comma before its }'])
  expect(readPolicy(json, 'policy.yaml').dialect).toBe('intercept')
})
