import { type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser'
import { shown } from '../../../shared/util/shown.js'
import type { Findings, Located } from './problems.js'

/** The problem and the remedy for error codes of the JSON parser. Other codes get a general message. */
const REMEDIES: Record<string, [what: string, remedy: string]> = {
  CommaExpected: ['lacks a comma', 'put one between the values'],
  ColonExpected: ['lacks a colon', 'put one between key and value'],
  CloseBraceExpected: ['ends before its object does', 'close it with }'],
  CloseBracketExpected: ['ends before its list does', 'close it with ]'],
  EndOfFileExpected: ['goes on behind its end', 'one file is one policy: leave out the rest'],
  InvalidCommentToken: ['has a comment', 'JSON takes none: leave it out'],
  InvalidSymbol: ['has a word that JSON does not know', 'texts and keys stand in double quotes'],
  UnexpectedEndOfString: ['has a text without its end', 'close it with a double quote'],
}

/** Parses strict JSON. @returns undefined after a report, if the text is not JSON */
export function readJsonText(text: string, findings: Findings): Located | undefined {
  const errors: ParseError[] = []
  const tree = parseTree(text, errors, { disallowComments: true, allowTrailingComma: false })
  const lineAt = lines(text)
  const trailing = new Map(errors.flatMap(error => trailingComma(text, error)))
  for (const [offset, closing] of trailing) {
    const remedy = 'JSON takes none behind the last value: leave it out'
    findings.refuse(lineAt(offset), '', `has a comma before its ${closing}`, remedy)
  }
  // Later errors mostly follow from the first one. Trailing commas cause no other errors, so all of them are
  // reported.
  const first = errors.find(error => !trailing.has(error.offset))
  if (first !== undefined) {
    const [what, remedy] = explain(text, first)
    return findings.refuse(lineAt(first.offset), '', what, remedy)
  }
  if (tree === undefined) return findings.refuse(1, '', 'the text is empty', 'a policy is a JSON object')
  return located(tree, lineAt, findings)
}

/**
 * Returns the position and text of a closing bracket, if the error is a comma before the bracket. Otherwise
 * returns an empty list.
 */
function trailingComma(text: string, { offset }: ParseError): [number, string][] {
  const closing = text[offset]
  const before = text.slice(0, offset).trimEnd().at(-1)
  return before === ',' && (closing === '}' || closing === ']') ? [[offset, closing]] : []
}

function explain(text: string, { error }: ParseError): [what: string, remedy: string] {
  if (text.trim() === '') return ['the text is empty', 'a policy is a JSON object']
  const code = printParseErrorCode(error)
  return REMEDIES[code] ?? [`is no JSON (${code})`, 'look at the value before it, too']
}

function located(node: Node, lineAt: (offset: number) => number, findings: Findings): Located {
  const line = lineAt(node.offset)
  if (node.type === 'array') {
    return { kind: 'list', line, items: (node.children ?? []).map(item => located(item, lineAt, findings)) }
  }
  if (node.type !== 'object') {
    const value: unknown = node.value
    if (typeof value === 'number' && !Number.isFinite(value)) {
      findings.refuse(line, '', 'has a number too large to be kept', 'write a smaller one')
    }
    return { kind: 'scalar', line, value: isScalar(value) ? value : null }
  }
  const seen = new Set<string>()
  const entries = (node.children ?? []).flatMap(({ children }) => {
    const [key, value] = children ?? []
    if (key === undefined || value === undefined) return []
    const name = String(key.value)
    if (seen.has(name)) {
      const remedy = 'a parser would keep the last: leave one'
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

/** Returns a function that returns the line of an offset, from 1. */
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
