import type { Condition, Plain } from '../../gateway/policy/model.js'
import { goPrinted, goWritten } from '../../gateway/policy/operators.js'
import { patternTexts } from './pattern-values.js'

/** Values of every JSON type, because a gateway may confuse one type with another. */
const OTHER_KINDS = [null, '', ' ', 0, 1, -1, true, false, [], {}, ['x']]

/** Maximum number of values that are tried for one condition. */
const MAX_VALUES = 600

/**
 * Returns values near the boundary of a condition. The condition holds for some of these values, and fails
 * for the others.
 *
 * @param sample a value for which it is known whether the condition holds, or undefined
 */
export function nearValues(condition: Condition, sample: unknown): unknown[] {
  const values = [...byOperator(condition, sample), ...OTHER_KINDS]
  // Values are compared as JSON, because they are sent as JSON. In JSON, -0 becomes 0.
  const different = [...new Set(values.map(value => JSON.stringify(value)))]
  const every = Math.ceil(different.length / MAX_VALUES)
  return different.filter((_, at) => at % every === 0).map((json): unknown => JSON.parse(json))
}

function byOperator({ op, value }: Condition, sample: unknown): unknown[] {
  switch (op) {
    case 'exists':
      return sample === undefined ? [] : [sample, String(sample)]
    case 'regex':
      return nearPattern(String(value), sample)
    case 'in':
    case 'not_in':
      return Array.isArray(value) ? [...value.flatMap(item => nearValue(item)), value, joined(value)] : []
    case 'contains':
      return nearPart(value)
    default:
      return nearValue(value)
  }
}

/** Joins the elements of a list into one text, with commas. */
function joined(list: readonly Plain[]): string {
  return list.map(String).join(',')
}

function nearValue(value: Plain): unknown[] {
  if (typeof value === 'number') return nearNumber(value)
  if (typeof value === 'string') return nearText(value)
  return [value, goPrinted(value, goWritten), typeof value === 'boolean' ? !value : [value]]
}

function nearNumber(value: number): unknown[] {
  const epsilon = Math.max(Math.abs(value), 1) * 2 ** -50
  const numbers = [value, value - 1, value + 1, value - 0.5, value + 0.5, value - 0.001, value + 0.001]
  return [
    ...numbers,
    value - epsilon,
    value + epsilon,
    -value,
    value * 10,
    value * 2,
    Number.MAX_SAFE_INTEGER,
    -Number.MAX_SAFE_INTEGER,
    1e300,
    -1e300,
    // A string is not a number, even if it consists of digits.
    ...[value - 1, value, value + 1].flatMap(number => [
      String(number),
      ` ${number}`,
      [number],
      `${number}.0`,
    ]),
  ]
}

function nearText(text: string): unknown[] {
  const number = text.trim() === '' ? Number.NaN : Number(text)
  return [
    text,
    ...framed(text),
    text.toUpperCase(),
    text.toLowerCase(),
    capitalised(text),
    text.slice(0, -1),
    text.slice(1),
    `${text}${text}`,
    [text],
    { [text]: true },
    ...(Number.isFinite(number) ? [number, number + 1] : []),
    ...(text === 'true' || text === 'false' ? [text === 'true'] : []),
    ...lookalikes(text),
  ]
}

/** Returns copies of a text with additional characters before or after it. */
function framed(text: string): string[] {
  const frames = ['x', 'X', '0', '-', '/', '.', ' ', '\n', '\t', '\r\n', '\0', '\u00a0', '\u200b', 'é']
  return [
    ...frames.flatMap(frame => [`${frame}${text}`, `${text}${frame}`]),
    `x ${text}`,
    `${text} x`,
    `x\n${text}`,
    `${text}\nx`,
    `https://elsewhere.invalid/${text}`,
    `${text}@elsewhere.invalid`,
    `${text}.elsewhere.invalid`,
    // These suffixes make typical names of a second object, e.g. `main-2`.
    ...['1', '2', '-1', '-2', '_2', '.2', 's'].map(suffix => text + suffix),
  ]
}

function capitalised(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1)
}

/**
 * Returns texts that look like `text`, or that Unicode normalisation or case folding can make equal to
 * `text`.
 */
function lookalikes(text: string): string[] {
  const [first = ''] = text
  const code = first.charCodeAt(0)
  const wide = code > 0x20 && code < 0x7f ? [String.fromCharCode(code + 0xfee0) + text.slice(1)] : []
  return [
    ...wide,
    text.replace('s', '\u017f'),
    text.replace('k', '\u212a'),
    text.replace('a', '\u0430'),
    `${text}\u0301`,
  ]
}

/** Returns texts, lists and objects that contain a value, or almost contain it. */
function nearPart(value: Plain): unknown[] {
  const whole = typeof value === 'string' ? value : String(value)
  return [
    ...nearValue(value),
    ...(typeof value === 'string'
      ? [`x${whole}x`, `${whole.slice(0, 1)} ${whole.slice(1)}`, [...whole].reverse().join('')]
      : []),
    [value],
    ['x', value],
    ['x', [value]],
    [`x${whole}x`],
    [whole.toUpperCase()],
    [whole.slice(0, -1)],
    { x: value },
    { [whole]: 'x' },
  ]
}

function nearPattern(pattern: string, sample: unknown): unknown[] {
  const text = typeof sample === 'string' ? sample : undefined
  const made = patternTexts(pattern)
  const [first] = made
  return [
    ...made,
    ...(text === undefined ? [] : [text, ...around(text)]),
    ...(first === undefined ? [] : around(made[1] ?? first)),
    ...(text === undefined ? [] : [[text], { text }]),
  ]
}

/** Returns copies of a text with small changes at the start, in the middle or at the end. */
function around(text: string): string[] {
  const middle = Math.floor(text.length / 2)
  const inside = ['x', 'X', '0', '-', '_', '.', '/', ' ', '\n', 'é'].flatMap(char => [
    text.slice(0, middle) + char + text.slice(middle),
    text.slice(0, middle) + char + text.slice(middle + 1),
  ])
  return [
    ...framed(text),
    text.toUpperCase(),
    text.toLowerCase(),
    capitalised(text),
    text + text.slice(-1),
    text.slice(0, -1),
    text.slice(1),
    `${text}${text}`,
    ...inside,
    // An unescaped dot in a pattern matches any character.
    ...[...text].flatMap((char, at) =>
      /[A-Za-z0-9]/.test(char) ? [] : [`${text.slice(0, at)}x${text.slice(at + 1)}`],
    ),
    ...lookalikes(text),
  ]
}
