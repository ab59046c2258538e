import type { Warning } from './model.js'
import { goFloat, goWritten } from './operators.js'

/** The value that Go reads from a scalar, and a warning about it for the author of the policy. */
export interface GoReading {
  readonly value: string | number
  readonly warning: Pick<Warning, 'code' | 'message'>
}

/** An integer that Go's `strconv.ParseInt` accepts with base 0. */
const INTEGER = /^([-+]?)(0x[\da-f]+|0b[01]+|0o[0-7]+|0[0-7]*|[1-9]\d*)$/i

/** A float that yaml.v3 recognizes. */
const FLOAT = /^[-+]?(\.\d+|\d+(\.\d*)?)(e[-+]?\d+)?$/i

const DATE = /^\d{4}-\d{1,2}-\d{1,2}([Tt ]\d{1,2}:\d{1,2}:\d{1,2}(\.\d+)?(Z|[-+]\d{2}:\d{2})?)?$/

/** The range of integers. yaml.v3 reads digits outside this range as a float. */
const [MIN_INT64, MAX_UINT64] = [-(2n ** 63n), 2n ** 64n - 1n]

/**
 * Reads a scalar without quotes as yaml.v3 does, which is the parser of Intercept.
 *
 * @param source text of the scalar
 * @param value value of the scalar in YAML 1.2
 * @returns undefined if Go and YAML 1.2 agree
 */
export function goReading(source: string, value: unknown): GoReading | undefined {
  if (DATE.test(source)) {
    const message = `${source} without quotes is a date to Go, which equals no argument: put it in quotes`
    return { value: source, warning: { code: 'go_date', message } }
  }
  if (!/^[-+]?\.?\d/.test(source)) return undefined
  // yaml.v3 ignores underscores, except in a scalar that begins with a dot.
  const digits = source.startsWith('.') ? source : source.replaceAll('_', '')
  const integer = goInteger(digits)
  if (integer !== undefined) return integerReading(source, integer, value)
  return FLOAT.test(digits) ? floatReading(source, Number(digits), value) : undefined
}

function goInteger(digits: string): bigint | undefined {
  const [, sign, magnitude] = INTEGER.exec(digits) ?? []
  if (magnitude === undefined) return undefined
  const isOctal = /^0\d/.test(magnitude)
  const absolute = BigInt(isOctal ? `0o${magnitude.slice(1)}` : magnitude.toLowerCase())
  const integer = sign === '-' ? -absolute : absolute
  return integer >= MIN_INT64 && integer <= MAX_UINT64 ? integer : undefined
}

function integerReading(source: string, integer: bigint, read: unknown): GoReading | undefined {
  const value = Number(integer)
  if (!Number.isSafeInteger(value)) {
    const message = `${source} is 2^53 or more: Go prints all of its digits, and calls carry fewer. Write a smaller number, or put it in quotes`
    return { value, warning: { code: 'go_large_number', message } }
  }
  if (value === read) return undefined
  const why = /^[-+]?0\d/.test(source.replaceAll('_', ''))
    ? 'a leading zero makes it octal'
    : 'YAML 1.2 has no such number'
  const message = `${source} is read as ${value}, as Go does: ${why}. Write ${value}, or put it in quotes if a text is meant`
  return { value, warning: { code: 'go_number', message } }
}

function floatReading(source: string, value: number, read: unknown): GoReading | undefined {
  if (!Number.isFinite(value)) return undefined
  if (value !== read) {
    const message = `${source} is read as ${value}, as Go does. Write ${value}, or put it in quotes if a text is meant`
    return { value, warning: { code: 'go_number', message } }
  }
  if (goFloat(value) === goWritten(value)) return undefined
  const message = `${source} is a float to Go, which compares it with texts as ${goFloat(value)}: write ${value}`
  return { value, warning: { code: 'go_float', message } }
}
