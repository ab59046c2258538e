import { describe, expect, it } from 'vitest'
import { policyText, readPolicy } from '../../../../servers/gateway/policy/read-policy.js'

/** A condition with a value, as YAML has it. */
const withValue = (value: string) =>
  `version: "1"\ntools:\n  t:\n    rules:\n      - name: n\n        conditions: [{ path: args.x, op: eq, value: ${value} }]\n`

function read(value: string) {
  const { policy, warnings } = readPolicy(withValue(value), 'p.yaml')
  const demand = policy.tools.get('t')?.[0]?.demand
  if (demand?.kind !== 'require') throw new Error('no condition was read')
  return { value: demand.conditions[0]?.value, warnings: warnings.map(({ code, line }) => `${code} ${line}`) }
}

describe('a number without quotes', () => {
  // fidelity gateway/intercept, same: YAML is read as Go reads it: `0777` is octal, and `1_000` is a number.
  it.each<[string, number]>([
    ['017', 15],
    ['0777', 511],
    ['-017', -15],
    ['0_7', 7],
    ['1_000', 1000],
    ['1_0.5', 10.5],
    ['0b11', 3],
    ['-0b11', -3],
    ['-0x10', -16],
    ['0X1F', 31],
    ['+0o17', 15],
  ])('%s is %d, as Go reads it, and a warning says so', (text, value) => {
    expect(read(text)).toEqual({ value, warnings: ['go_number 6'] })
  })

  it.each<[string, number | string]>([
    ['0', 0],
    ['15', 15],
    ['-15', -15],
    ['0x10', 16],
    ['0o17', 15],
    ['08', 8],
    ['1.5', 1.5],
    ['1.0', 1],
    ['1e3', 1000],
    ['"017"', '017'],
    ["'1_000'", '1_000'],
    ['0b12', '0b12'],
    ['1.2.3', '1.2.3'],
    ['12:30:45', '12:30:45'],
  ])('%s is read alike by all parsers, without a warning', (text, value) => {
    expect(read(text)).toEqual({ value, warnings: [] })
  })

  // fidelity gateway/intercept, differs: A number from 2^53 on prints in another form than it is written.
  // Here: A warning says so, because an argument with the same characters would not match.
  it.each(['9007199254740992', '-9007199254740993', '18446744073709551615'])(
    '%s, which is 2^53 or more, has a warning',
    text => {
      expect(read(text).warnings).toEqual(['go_large_number 6'])
    },
  )

  // fidelity gateway/intercept, differs: `1000000.0` prints in another form than it is written. Here: A
  // warning says so, because an argument with the same characters would not match.
  it.each(['1000000.0', '1e6', '-0.0'])('%s, which Go prints as a float, has a warning', text => {
    expect(read(text).warnings).toEqual(['go_float 6'])
  })

  it('has the value that Go reads', () => {
    const text = `version: "1"
tools:
  t:
    rules:
      - name: n
        conditions: [{ path: state.t.c, op: lte, value: 010 }]
        state: { counter: c, window: hour }
`
    const { policy } = readPolicy(text, 'p.yaml')
    expect(policy.tools.get('t')?.[0]?.demand).toMatchObject({ limit: { max: 8 } })
  })

  it('has a warning with the value and a remedy', () => {
    expect(readPolicy(withValue('0777'), 'p.yaml').warnings[0]?.message).toBe(
      '0777 is read as 511, as Go does: a leading zero makes it octal. Write 511, or put it in quotes to write a string',
    )
  })
})

// fidelity gateway/intercept, differs: A date without quotes prints in another form than it is written. Here:
// A warning says so, because an argument with the same characters would not match.
it.each(['2026-03-31', '2026-3-1', '2026-03-31T10:00:00Z', '2026-03-31 10:00:00'])(
  'the date %s without quotes has a warning',
  text => {
    expect(read(text)).toEqual({ value: text, warnings: ['go_date 6'] })
    expect(read(JSON.stringify(text)).warnings).toEqual([])
  },
)

describe('bytes that are not UTF-8', () => {
  it.each([
    ['version: "1"\ndescription: caf', 2],
    ['', 1],
    ['version: "1"\n\ntools:\n  x', 4],
  ])('are refused with their line: %j', (before, line) => {
    const bytes = Buffer.concat([Buffer.from(before), Buffer.from([0xe9, 0x0a, 0x41])])
    expect(() => policyText(bytes, 'p.yaml')).toThrow(
      `p.yaml:${line}: has bytes that are not UTF-8: save the file`,
    )
  })

  it('are not reported in a text with umlauts', () => {
    expect(policyText(Buffer.from('ä\nö\n€'), 'p.yaml')).toBe('ä\nö\n€')
  })
})
