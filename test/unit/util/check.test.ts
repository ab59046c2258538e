import { expect, it } from 'vitest'
import { z } from 'zod'
import { checked, oneKind, strict } from '../../../shared/util/check.js'

const schema = z.array(
  strict({
    name: z.string(),
    do: oneKind('deed', {
      wait: strict({ wait: z.int().min(1) }),
      say: strict({ say: strict({ text: z.string() }), loud: z.boolean().exactOptional() }),
    }),
  }),
)

const why = (value: unknown) => () => checked(schema, value, 'bad_deeds', 'deeds')

it.each<[unknown, string]>([
  [{}, 'deeds is {}: expected array'],
  [[{ name: 1, do: { wait: 1 } }], 'deeds[0].name is 1: expected string'],
  [[{ do: { wait: 1 } }], 'deeds[0].name is missing: expected string'],
  [[{ name: 'x', do: { wait: 1 }, when: 1 }], 'deeds[0] does not know "when": there are name, do'],
  [[{ name: 'x', do: { run: 1 } }], 'deeds[0].do is "run", which is no kind of deed: there are wait, say'],
  [[{ name: 'x', do: 'wait' }], 'deeds[0].do is "wait", which is no kind of deed: there are wait, say'],
  [
    [{ name: 'x', do: { loud: true } }],
    'deeds[0].do is "loud", which is no kind of deed: there are wait, say',
  ],
  [[{ name: 'x', do: { wait: 0 } }], 'deeds[0].do.wait is 0: expected number to be >=1'],
  [[{ name: 'x', do: { say: {} } }], 'deeds[0].do.say.text is missing: expected string'],
  [[{ name: 'x', do: { wait: 1, loud: true } }], 'deeds[0].do does not know "loud": there are wait'],
])('%j is refused: %s', (value, message) => {
  expect(why(value)).toThrow(expect.objectContaining({ code: 'bad_deeds', message }))
})

it('names every invalid field', () => {
  expect(why([{ do: { wait: 1 } }, { name: 'x', do: { wait: 'long' } }])).toThrow(
    'deeds[0].name is missing: expected string; deeds[1].do.wait is "long": expected number',
  )
})

it('accepts valid data', () => {
  const good = [{ name: 'x', do: { say: { text: 'y' }, loud: true } }]
  expect(checked(schema, good, 'bad_deeds', 'deeds')).toEqual(good)
})
