import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createEngine } from '../../../../../servers/gateway/policy/engine.js'
import { PolicyRefusal } from '../../../../../servers/gateway/policy/problems.js'
import { readPolicy } from '../../../../../servers/gateway/policy/read-policy.js'
import { reviewPolicy } from '../../../../../servers/gateway/policy/review.js'
import { Clock } from '../../../../../shared/clock/clock.js'

const root = join(import.meta.dirname, '../../../../../fixtures/policies')
const fixtures = ['policylayer', 'intercept'].flatMap(folder =>
  readdirSync(join(root, folder)).map(name => readFileSync(join(root, folder, name), 'utf8')),
)

/** Pieces that a policy is made of, and such as break one. */
const pieces = [
  ...[
    'version: "1"\n',
    'default: deny\n',
    'hide: [',
    ']',
    '{',
    '}',
    ',',
    '\n',
    '  ',
    '- ',
    ': ',
    '"',
    "'",
    '\t',
    '#',
    '|',
    '>',
  ],
  ...[
    'tools:\n',
    '  t:\n',
    '    rules:\n',
    '      - name: x\n',
    '        action: allow\n',
    '        rate_limit: 5/hour\n',
  ],
  ...[
    '&a ',
    '*a',
    '<<: ',
    '!!str ',
    '%YAML 1.1\n',
    '---\n',
    '...\n',
    '? ',
    '"limits":[',
    '"tools":{',
    '"version":"1",',
    '\u0000',
    '\ufeff',
    '"__proto__":',
  ],
]

/** A fixture with a piece cut out and another put in. */
const mutated = fc
  .tuple(
    fc.constantFrom(...fixtures),
    fc.nat(),
    fc.nat(40),
    fc.oneof(fc.constantFrom(...pieces), fc.string({ unit: 'binary', maxLength: 5 })),
  )
  .map(([text, at, cut, piece]) => {
    const from = at % (text.length + 1)
    return text.slice(0, from) + piece + text.slice(from + cut)
  })

const texts = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.array(fc.constantFrom(...pieces), { maxLength: 30 }).map(parts => parts.join('')),
  fc.json(),
  mutated,
  mutated,
)

it('any text is read or refused with lines, and a policy that was read can decide', () => {
  fc.assert(
    fc.property(texts, fc.constantFrom('p.json', 'p.yaml', 'p'), fc.jsonValue(), (text, file, args) => {
      let reading: ReturnType<typeof readPolicy>
      try {
        reading = readPolicy(text, file)
      } catch (error) {
        if (!(error instanceof PolicyRefusal)) throw error
        expect(error.problems.length).toBeGreaterThan(0)
        const lines = text.split('\n').length
        for (const { line, remedy } of error.problems) {
          expect(line >= 1 && line <= lines).toBe(true)
          expect(remedy).not.toBe('')
        }
        return
      }
      reviewPolicy(reading)
      const engine = createEngine(reading.policy, new Clock({ mode: 'manual' }))
      for (const tool of [...reading.policy.tools.keys(), 'unlisted'])
        engine.decide({ tool, args, grant: 'g' })
      if (reading.policy.default === 'deny') {
        expect(engine.decide({ tool: 'unlisted', args, grant: 'g' }).outcome).toBe('deny')
      }
    }),
    { numRuns: 6000 },
  )
})

it('a policy that is cut in the middle is refused', () => {
  for (const text of fixtures.filter(fixture => fixture.startsWith('{'))) {
    for (let length = 0; length < text.trimEnd().length; length += 7) {
      expect(() => readPolicy(text.slice(0, length), 'policy.json')).toThrow(PolicyRefusal)
    }
  }
})
