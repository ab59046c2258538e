import type { Dice } from '../history/dice.js'

/** The part of a JSON schema that values are made from. */
export type Schema = Record<string, unknown>

/** Texts that parsers, paths, SQL and log lines have trouble with. No lone surrogate: JSON.stringify escapes those by itself. */
const HOSTILE = [
  ...' |\0|\u202e|\ud800|🦊|../../etc/passwd|%00|%|__proto__|constructor|null|-0|1e400|NaN'.split('|'),
  ...`' OR 1=1 --|<script>alert(1)</script>|{{7*7}}|a\r\nX-Injected: 1|2026-02-30T25:61:61Z`.split('|'),
  'https://127.0.0.1:1/room/x#k=y',
  '',
  'é'.repeat(300),
  'x'.repeat(70_000),
]

const NUMBERS = [0, -0, 1, -1, 0.1, 1e308, -1e308, 2 ** 31, 2 ** 53, 2 ** 63, 90, 60_000]

/** Makes JSON values: any at all, or such as a schema describes and then spoils now and then. */
export class JsonValues {
  /** @param words texts that mean something to the server, such as tokens and URLs */
  constructor(
    readonly dice: Dice,
    readonly words: readonly string[],
  ) {}

  text(): string {
    if (this.dice.percent(45)) return this.dice.pick(this.words)
    return this.dice.percent(60) ? this.dice.pick(HOSTILE) : `w${this.dice.below(1000)}`
  }

  any(depth = 0): unknown {
    const kind = this.dice.below(depth > 4 ? 5 : 8)
    if (kind < 2) return this.text()
    if (kind === 2) return this.dice.pick(NUMBERS)
    if (kind === 3) return this.dice.percent(50)
    if (kind === 4) return null
    if (kind === 5 && this.dice.percent(10)) return nested(1 + this.dice.below(2000))
    const size = this.dice.below(5)
    if (kind < 7) return Array.from({ length: size }, () => this.any(depth + 1))
    return Object.fromEntries(Array.from({ length: size }, () => [this.text(), this.any(depth + 1)]))
  }

  /** A value of a schema; one in eight parts of it is something else. @param root holds what `$ref` points to */
  of(schema: unknown, root: Schema, depth = 0): unknown {
    if (depth > 8 || this.dice.below(8) === 0) return this.any(depth)
    const { $ref, enum: choices, const: only, anyOf, oneOf, properties, items, type } = asSchema(schema)
    if (typeof $ref === 'string') return this.of(resolve($ref, root), root, depth + 1)
    if (only !== undefined) return only
    for (const list of [choices, anyOf ?? oneOf])
      if (Array.isArray(list) && list.length > 0)
        return list === choices ? this.dice.pick(list) : this.of(this.dice.pick(list), root, depth + 1)
    if (properties !== undefined) {
      const named = Object.entries(asSchema(properties)).filter(() => this.dice.percent(75))
      const extra = this.dice.percent(10) ? [[this.text(), this.any(depth + 1)]] : []
      return Object.fromEntries([
        ...named.map(([name, of]) => [name, this.of(of, root, depth + 1)]),
        ...extra,
      ])
    }
    if (type === 'array')
      return Array.from({ length: this.dice.below(4) }, () => this.of(items, root, depth + 1))
    if (type === 'integer' || type === 'number')
      return this.dice.percent(70) ? this.dice.below(5) : this.dice.pick(NUMBERS)
    if (type === 'boolean') return this.dice.percent(50)
    return type === 'string' ? this.text() : this.any(depth + 1)
  }
}

export function asSchema(value: unknown): Schema {
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {}
}

function resolve(ref: string, root: Schema): unknown {
  return ref
    .slice(2)
    .split('/')
    .reduce<unknown>((at, key) => asSchema(at)[key], root)
}

function nested(depth: number): unknown {
  let value: unknown = 1
  for (let at = 0; at < depth; at++) value = [value]
  return value
}
