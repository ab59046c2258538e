import { type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser'
import type { Located } from './located.js'
import type { Findings } from './problems.js'

/** Why a parser of JSON stops, and what to do; whatever else it says is a matter of JSON in general. */
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

/** Reads JSON, and nothing that merely looks like it. @returns undefined if it is not, which is noted */
export function readJsonText(text: string, findings: Findings): Located | undefined {
  const errors: ParseError[] = []
  const tree = parseTree(text, errors, { disallowComments: true, allowTrailingComma: false })
  const lineAt = lines(text)
  const [first] = errors
  if (first !== undefined) {
    // What follows the first error is mostly its consequence.
    const [what, remedy] = explain(text, first)
    return findings.refuse(lineAt(first.offset), '', what, remedy)
  }
  if (tree === undefined) return findings.refuse(1, '', 'the text is empty', 'a policy is a JSON object')
  return located(tree, lineAt, findings)
}

function explain(text: string, { error, offset }: ParseError): [what: string, remedy: string] {
  const code = printParseErrorCode(error)
  const before = text.slice(0, offset).trimEnd().at(-1)
  const here = text[offset]
  if (before === ',' && (here === '}' || here === ']')) {
    return [`has a comma before its ${here}`, 'JSON takes none behind the last value: leave it out']
  }
  if (text.trim() === '') return ['the text is empty', 'a policy is a JSON object']
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
      findings.refuse(lineAt(key.offset), '', `has the key ${JSON.stringify(name)} twice`, remedy)
    }
    seen.add(name)
    return [{ key: name, line: lineAt(key.offset), value: located(value, lineAt, findings) }]
  })
  return { kind: 'map', line, entries }
}

function isScalar(value: unknown): value is string | number | boolean | null {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value)
}

/** The line of an offset, from 1. */
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
