import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type ParsedNode,
  parseAllDocuments,
  type Scalar,
} from 'yaml'
import { cut, shown } from '../../../shared/util/shown.js'
import type { Warning } from './model.js'
import { goFloat, goWritten } from './operators.js'
import type { Entry, Findings, Located } from './problems.js'

/**
 * Parses YAML. Anchors, aliases, merge keys, tags and directives are refused, because they can change the
 * meaning of other lines, or expand a short text to a very large one. Numbers are read as Go reads them,
 * because Intercept is a Go program.
 *
 * @returns undefined if the text is not valid YAML or has a refused feature. The problems are then reported
 */
export function readYamlText(text: string, findings: Findings): Located | undefined {
  const counter = new LineCounter()
  const documents = parseAllDocuments(text, {
    lineCounter: counter,
    prettyErrors: false,
    logLevel: 'silent',
    // `entry` reports repeated keys. The error of the parser would not name the key.
    uniqueKeys: false,
  })
  const [document] = documents
  if (document === undefined || !('contents' in document) || document.contents === null) {
    return findings.refuse(1, '', 'the text is empty', 'write a map that begins with version: "1"')
  }
  const second = documents[1]
  if (second !== undefined) {
    const line = lineOf(second.range[0])
    return findings.refuse(line, '', 'has a second document', 'a file is one policy: remove the rest')
  }
  const before = findings.problems.length
  if (document.directives?.yaml.explicit) {
    findings.refuse(1, '', 'has a %YAML directive', 'remove it: the text is always read as YAML 1.2')
  }
  reportFirstError(document)
  const read = located(document.contents)
  return findings.problems.length === before ? read : undefined

  function lineOf(offset: number): number {
    return counter.linePos(offset).line
  }

  /** Reports the first error of the parser. One error often causes others, so these are not reported. */
  function reportFirstError({ errors }: Document.Parsed): void {
    const [first] = errors
    if (first === undefined) return
    const line = lineOf(first.pos[0])
    findings.refuse(line, '', `is not YAML (${cut(first.message)})`, 'check indentation, quotes and brackets')
  }

  function located(node: ParsedNode | null): Located {
    if (node === null) return { kind: 'scalar', line: 1, value: null }
    const line = lineOf(node.range[0])
    refuseUnsupported(node, line)
    if (isMap(node)) {
      const seen = new Set<string>()
      return { kind: 'map', line, entries: node.items.flatMap(pair => entry(pair.key, pair.value, seen)) }
    }
    if (isSeq(node)) return { kind: 'list', line, items: node.items.map(item => located(item)) }
    return { kind: 'scalar', line, value: isScalar(node) ? scalarValue(node, line) : null }
  }

  function entry(key: ParsedNode | null, value: ParsedNode | null, seen: Set<string>): Entry[] {
    const line = key === null ? 1 : lineOf(key.range[0])
    if (key !== null) refuseUnsupported(key, line)
    if (!isScalar(key) || key.value === null) {
      findings.refuse(line, '', 'has a key that is not a string', 'write a plain word as the key')
      return []
    }
    const name = isScalar(key) ? (key.source ?? String(key.value)) : ''
    if (name === '<<') {
      findings.refuse(line, '', 'has the merge key <<', 'write the merged keys themselves')
    } else if (seen.has(name)) {
      findings.refuse(line, '', `has the key ${shown(name)} twice`, 'remove one of the two')
    }
    seen.add(name)
    // An empty value is on no line, so it gets the line of its key.
    const inner = located(value)
    return [{ key: name, line, value: value === null ? { ...inner, line } : inner }]
  }

  function refuseUnsupported(node: Node & { anchor?: string; tag?: string }, line: number): void {
    if (isAlias(node)) {
      findings.refuse(line, '', `has the alias *${cut(node.source)}`, 'write the value itself')
    } else if (node.anchor !== undefined) {
      findings.refuse(
        line,
        '',
        `has the anchor &${cut(node.anchor)}`,
        'remove it, because aliases are not supported',
      )
    }
    if (node.tag !== undefined) {
      const remedy = 'remove it. To write a string, use quotes'
      findings.refuse(line, '', `has the tag ${cut(node.tag)}`, remedy)
    }
  }

  function scalarValue({ value, type, source }: Scalar, line: number): string | number | boolean | null {
    const reading = type === 'PLAIN' && source !== undefined ? goReading(source, value) : undefined
    if (reading !== undefined) {
      findings.warn({ ...reading.warning, level: 'warning', line })
      return reading.value
    }
    if (typeof value === 'string' || typeof value === 'boolean') return value
    if (typeof value === 'number') {
      if (!Number.isFinite(value))
        findings.refuse(line, '', `has the number ${value}`, 'write a finite number')
      return value
    }
    return null
  }
}

/** The value that Go reads from a scalar, and a warning for the author of the policy. */
interface GoReading {
  readonly value: string | number
  readonly warning: Pick<Warning, 'code' | 'message'>
}

/** An integer that Go's `strconv.ParseInt` accepts with base 0. */
const INTEGER = /^([-+]?)(0x[\da-f]+|0b[01]+|0o[0-7]+|0[0-7]*|[1-9]\d*)$/i

/** A float that yaml.v3 recognizes. */
const FLOAT = /^[-+]?(\.\d+|\d+(\.\d*)?)(e[-+]?\d+)?$/i

const DATE = /^\d{4}-\d{1,2}-\d{1,2}([Tt ]\d{1,2}:\d{1,2}:\d{1,2}(\.\d+)?(Z|[-+]\d{2}:\d{2})?)?$/

/** The range of integers in Go. yaml.v3 reads a whole number outside of this range as a float. */
const [MIN_INT64, MAX_UINT64] = [-(2n ** 63n), 2n ** 64n - 1n]

/**
 * Reads a scalar without quotes as the parser of Intercept does, which is yaml.v3 of Go.
 *
 * @param source the text of the scalar
 * @param value the value that YAML 1.2 reads from this text
 * @returns undefined if Go reads the same value as YAML 1.2, and also compares it as YAML 1.2 would
 */
export function goReading(source: string, value: unknown): GoReading | undefined {
  if (DATE.test(source)) {
    const message = `Go reads ${source} without quotes as a date, which equals no argument: put it in quotes`
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
    const message = `${source} is 2^53 or more: Go compares all its digits, but a number in a call is not as exact. Write a smaller number, or put it in quotes`
    return { value, warning: { code: 'go_large_number', message } }
  }
  if (value === read) return undefined
  const why = /^[-+]?0\d/.test(source.replaceAll('_', ''))
    ? 'a leading zero makes it octal'
    : 'YAML 1.2 has no such number'
  const message = `${source} is read as ${value}, as Go does: ${why}. Write ${value}, or put it in quotes to write a string`
  return { value, warning: { code: 'go_number', message } }
}

function floatReading(source: string, value: number, read: unknown): GoReading | undefined {
  if (!Number.isFinite(value)) return undefined
  if (value !== read) {
    const message = `${source} is read as ${value}, as Go does. Write ${value}, or put it in quotes to write a string`
    return { value, warning: { code: 'go_number', message } }
  }
  if (goFloat(value) === goWritten(value)) return undefined
  const message = `Go reads ${source} as a float and compares it with strings as ${goFloat(value)}: write ${value}`
  return { value, warning: { code: 'go_float', message } }
}
