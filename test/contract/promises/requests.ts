import { asSchema, JsonValues, type Schema } from '../../fuzz/json-values.js'
import type { Dice } from '../../history/dice.js'

/** Bodies of the wrong form. */
const NO_OBJECT = ['', '[]', '"x"', '7', 'true', 'null', '{"name":"x"', 'token=x', '{}']

/** Texts at the edges of what names, tokens and handles may be. */
export const EDGES = [
  ...[
    '',
    ' ',
    '\u00a0',
    'a\u0000b',
    'a\u007fb',
    'é'.repeat(32),
    'é'.repeat(33),
    'x'.repeat(64),
    'x'.repeat(65),
  ],
  ...['🦊', '\u202e', '<b>&', "' OR 1=1 --", '../../etc/passwd', '__proto__', 'null', ' padded ', '\ud800'],
]

/** Makes bodies from a JSON schema: valid ones, ones with one thing wrong, and hostile ones. */
export class Requests {
  readonly #values: JsonValues

  /**
   * @param document resolves the references of the schemas
   * @param valid makes a valid value of a property by its name. Undefined: the schema says enough
   */
  constructor(
    readonly dice: Dice,
    readonly document: Schema,
    readonly valid: (property: string) => unknown,
  ) {
    this.#values = new JsonValues(dice, ['x', 'orders'])
  }

  /** The text of a body. */
  body(schema: unknown): string {
    if (this.dice.percent(10)) return this.dice.pick(NO_OBJECT)
    return JSON.stringify(this.object(schema))
  }

  /** An object: valid in two cases of three. */
  object(schema: unknown): Schema {
    const made = this.validObject(schema)
    const names = Object.keys(made)
    const spoilt = names.length > 0 ? this.dice.pick(names) : 'extra'
    const chance = this.dice.below(12)
    if (chance === 0) delete made[spoilt]
    if (chance === 1) made[spoilt] = this.#values.any()
    if (chance === 2 || chance === 3) made[spoilt] = this.dice.pick(EDGES)
    if (chance === 4) made.extra = this.#values.any()
    return made
  }

  /** Every required property, and some of the others. */
  validObject(schema: unknown): Schema {
    const { properties, required } = this.#resolved(schema)
    const needed = Array.isArray(required) ? required : []
    const names = Object.keys(asSchema(properties)).filter(
      name => needed.includes(name) || this.dice.percent(20),
    )
    return Object.fromEntries(
      names.map(name => [
        name,
        this.valid(name) ?? this.#values.of(asSchema(properties)[name], this.document),
      ]),
    )
  }

  #resolved(schema: unknown): Schema {
    const { $ref } = asSchema(schema)
    if (typeof $ref !== 'string') return asSchema(schema)
    const path = $ref.slice(2).split('/')
    return asSchema(path.reduce<unknown>((at, key) => asSchema(at)[key], this.document))
  }
}
