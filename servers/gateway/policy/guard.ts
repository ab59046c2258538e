import type { Findings } from './problems.js'

/** Far more than a policy needs; what a parser is given at all. */
const MOST_CHARS = 256 * 1024
const DEEPEST = 64
/** Each level of YAML's blocks takes a column. */
const WIDEST_INDENT = 128

/**
 * Turns down what would cost a parser more than a policy is worth, before one sees it: a text that is too long or nested
 * too deeply. Brackets in texts count, too: nobody writes that many into a policy.
 */
export function passesGuard(text: string, findings: Findings): boolean {
  if (text.length > MOST_CHARS) {
    findings.refuse(1, '', `the text has ${text.length} characters`, `a policy has at most ${MOST_CHARS}`)
    return false
  }
  let depth = 0
  for (const [index, line] of text.split('\n').entries()) {
    for (const char of line) {
      if (char === '[' || char === '{') depth++
      else if ((char === ']' || char === '}') && depth > 0) depth--
      if (depth > DEEPEST) return tooDeep(index + 1, findings)
    }
    if (indentOf(line) > WIDEST_INDENT) return tooDeep(index + 1, findings)
  }
  return true
}

/** Columns before the first word of a line: dashes, question marks and colons open levels as spaces do. */
function indentOf(line: string): number {
  return /^[\s?:-]*/.exec(line)?.[0].length ?? 0
}

function tooDeep(line: number, findings: Findings): false {
  findings.refuse(
    line,
    '',
    `nests more than ${DEEPEST} levels deep, or is indented past ${WIDEST_INDENT} columns`,
    'a policy needs seven',
  )
  return false
}
