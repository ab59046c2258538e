import { type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser'
import { shown } from '../../../shared/util/shown.js'
import type { Findings, Located } from './problems.js'

/**
 * The problem and the remedy for each error code of the JSON parser. All other codes have a general message.
 */
const REMEDIES: Record<string, [what: string, remedy: string]> = {
  CommaExpected: ['lacks a comma', 'put one between the values'],
  ColonExpected: ['lacks a colon', 'put one between key and value'],
  CloseBraceExpected: ['ends before its object does', 'close it with }'],
  CloseBracketExpected: ['ends before its list does', 'close it with ]'],
  EndOfFileExpected: ['has more text after its end', 'a file is one policy: remove the rest'],
  InvalidCommentToken: ['has a comment', 'JSON has no comments: remove it'],
  InvalidSymbol: ['has a word that JSON does not know', 'put strings and keys in double quotes'],
  UnexpectedEndOfString: ['has a string without an end', 'close it with a double quote'],
}

/** Parses strict JSON. @returns undefined if the text is not JSON. The problem is then reported */
export function readJsonText(text: string, findings: Findings): Located | undefined {
  const errors: ParseError[] = []
  const tree = parseTree(text, errors, { disallowComments: true, allowTrailingComma: false })
  const lineAt = lines(text)
  const trailing = new Map(errors.flatMap(error => trailingComma(text, error)))
  for (const [offset, closing] of trailing) {
    const remedy = 'JSON has no comma after the last value: remove it'
    findings.refuse(lineAt(offset), '', `has a comma before its ${closing}`, remedy)
  }
  // One error often causes others, so only the first error is reported. Trailing commas cause no other
  // errors, so all trailing commas are reported.
  const first = errors.find(error => !trailing.has(error.offset))
  if (first !== undefined) {
    const [what, remedy] = explain(text, first)
    return findings.refuse(lineAt(first.offset), '', what, remedy)
  }
  if (tree === undefined) return findings.refuse(1, '', 'the text is empty', 'write a JSON object')
  return located(tree, lineAt, findings)
}

/**
 * Finds a comma in front of a closing bracket. Returns a list with the position and the text of the bracket.
 * Returns an empty list if the error is a different one.
 */
function trailingComma(text: string, { offset }: ParseError): [number, string][] {
  const closing = text[offset]
  const before = text.slice(0, offset).trimEnd().at(-1)
  return before === ',' && (closing === '}' || closing === ']') ? [[offset, closing]] : []
}

function explain(text: string, { error }: ParseError): [what: string, remedy: string] {
  if (text.trim() === '') return ['the text is empty', 'write a JSON object']
  const code = printParseErrorCode(error)
  return REMEDIES[code] ?? [`is not JSON (${code})`, 'check this line and the value before it']
}

function located(node: Node, lineAt: (offset: number) => number, findings: Findings): Located {
  const line = lineAt(node.offset)
  if (node.type === 'array') {
    return { kind: 'list', line, items: (node.children ?? []).map(item => located(item, lineAt, findings)) }
  }
  if (node.type !== 'object') {
    const value: unknown = node.value
    if (typeof value === 'number' && !Number.isFinite(value)) {
      findings.refuse(line, '', 'has a number that is too large', 'write a smaller number')
    }
    return { kind: 'scalar', line, value: isScalar(value) ? value : null }
  }
  const seen = new Set<string>()
  const entries = (node.children ?? []).flatMap(({ children }) => {
    const [key, value] = children ?? []
    if (key === undefined || value === undefined) return []
    const name = String(key.value)
    if (seen.has(name)) {
      const remedy = 'a JSON parser would use only the last one: remove the others'
      findings.refuse(lineAt(key.offset), '', `has the key ${shown(name)} twice`, remedy)
    }
    seen.add(name)
    return [{ key: name, line: lineAt(key.offset), value: located(value, lineAt, findings) }]
  })
  return { kind: 'map', line, entries }
}

function isScalar(value: unknown): value is string | number | boolean | null {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value)
}

/** Returns a function that converts an offset in the text to a line number. The first line is 1. */
function lines(text: string): (offset: number) => number {
  const starts = [0]
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return offset => {
    let [low, high] = [0, starts.length]
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if ((starts[middle] ?? 0) <= offset) low = middle
      else high = middle
    }
    return low + 1
  }
}
