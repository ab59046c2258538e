import { RE2JS } from 're2js'

/** A pattern of RE2, as Go has it: unanchored, and no text takes it more than time in proportion to its length. */
export interface Pattern {
  matches(text: string): boolean
}

/** @throws Error in RE2's words for what is no pattern of it */
export function compilePattern(source: string): Pattern {
  const compiled = RE2JS.compile(source)
  return { matches: text => compiled.test(text) }
}

/** What is wrong with a pattern, in RE2's words; undefined if nothing is. */
export function patternProblem(source: string): string | undefined {
  try {
    compilePattern(source)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
