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
 * Parses YAML and refuses anchors, aliases, merge keys, tags and directives. Such features could give a line
 * another meaning, or make a short text very large. Numbers are read as in Go, because Intercept does so.
 *
 * @returns undefined after a report, if the text is not such YAML
 */
export function readYamlText(text: string, findings: Findings): Located | undefined {
  const counter = new LineCounter()
  const documents = parseAllDocuments(text, {
    lineCounter: counter,
    prettyErrors: false,
    logLevel: 'silent',
    // The code below refuses repeated keys and names them.
    uniqueKeys: false,
  })
  const [document] = documents
  if (document === undefined || !('contents' in document) || document.contents === null) {
    return findings.refuse(1, '', 'the text is empty', 'a policy is a map, beginning with version: "1"')
  }
  const second = documents[1]
  if (second !== undefined) {
    const line = lineOf(second.range[0])
    return findings.refuse(line, '', 'holds a second document', 'one file is one policy: leave out the rest')
  }
  const before = findings.problems.length
  if (document.directives?.yaml.explicit) {
    findings.refuse(1, '', 'has a %YAML directive', 'leave it out: YAML 1.2 is read')
  }
  noteErrors(document)
  const read = located(document.contents)
  return findings.problems.length === before ? read : undefined

  function lineOf(offset: number): number {
    return counter.linePos(offset).line
  }

  /** Reports the first error of the parser. Later errors mostly follow from the first one. */
  function noteErrors({ errors }: Document.Parsed): void {
    const [first] = errors
    if (first === undefined) return
    const line = lineOf(first.pos[0])
    findings.refuse(
      line,
      '',
      `is no YAML (${cut(first.message)})`,
      'look at indentation, quotes and brackets',
    )
  }

  function located(node: ParsedNode | null): Located {
    if (node === null) return { kind: 'scalar', line: 1, value: null }
    const line = lineOf(node.range[0])
    refuseMagic(node, line)
    if (isMap(node)) {
      const seen = new Set<string>()
      return { kind: 'map', line, entries: node.items.flatMap(pair => entry(pair.key, pair.value, seen)) }
    }
    if (isSeq(node)) return { kind: 'list', line, items: node.items.map(item => located(item)) }
    return { kind: 'scalar', line, value: isScalar(node) ? scalarValue(node, line) : null }
  }

  function entry(key: ParsedNode | null, value: ParsedNode | null, seen: Set<string>): Entry[] {
    const line = key === null ? 1 : lineOf(key.range[0])
    if (key !== null) refuseMagic(key, line)
    if (!isScalar(key) || key.value === null) {
      findings.refuse(line, '', 'has a key that is no text', 'keys of a policy are plain words')
      return []
    }
    const name = isScalar(key) ? (key.source ?? String(key.value)) : ''
    if (name === '<<') {
      findings.refuse(line, '', 'has the merge key <<', 'write out what it would bring in')
    } else if (seen.has(name)) {
      findings.refuse(line, '', `has the key ${shown(name)} twice`, 'leave one')
    }
    seen.add(name)
    // An empty value has no line of its own, so it gets the line of its key.
    const inner = located(value)
    return [{ key: name, line, value: value === null ? { ...inner, line } : inner }]
  }

  function refuseMagic(node: Node & { anchor?: string; tag?: string }, line: number): void {
    if (isAlias(node)) {
      findings.refuse(line, '', `has the alias *${cut(node.source)}`, 'write out what it stands for')
    } else if (node.anchor !== undefined) {
      findings.refuse(line, '', `has the anchor &${cut(node.anchor)}`, 'leave it out: aliases are not read')
    }
    if (node.tag !== undefined) {
      const remedy = 'leave it out, and put a text in quotes'
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
      if (!Number.isFinite(value)) findings.refuse(line, '', `has the number ${value}`, 'write a finite one')
      return value
    }
    return null
  }
}

/** The value that Go reads from a scalar, and a warning about it for the author of the policy. */
interface GoReading {
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
