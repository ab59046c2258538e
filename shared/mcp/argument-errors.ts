import type { z } from 'zod'
import { shown } from '../util/shown.js'

/**
 * What is wrong with the arguments of a call, in one sentence: every argument at fault, the value it had, what it takes.
 *
 * @param args as they came in
 * @param known the names of the arguments the tool takes
 */
export function explainIssues(
  issues: z.core.$ZodIssue[],
  args: Record<string, unknown>,
  known: string[],
): string {
  // One value can fail two rules at once; the first says enough.
  const first = new Map(issues.map(issue => [issue.path.join('.'), issue] as const).reverse())
  return `invalid arguments: ${[...first.values()]
    .reverse()
    .map(issue => explain(issue, args, known))
    .join('; ')}`
}

function explain(issue: z.core.$ZodIssue, args: Record<string, unknown>, known: string[]): string {
  if (issue.code === 'unrecognized_keys') {
    const names = issue.keys.map(key => JSON.stringify(key)).join(', ')
    const takes = known.length === 0 ? 'this tool takes no arguments' : `known are ${known.join(', ')}`
    return `unknown argument ${names} (${takes})`
  }
  const value = at(args, issue.path)
  const name = issue.path.length === 0 ? 'arguments' : issue.path.join('.')
  if (value === undefined) return `${name} is missing (${lowerFirst(issue.message)})`
  return `${name} is ${shown(value)} (${lowerFirst(issue.message)})`
}

function at(args: unknown, path: PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined),
    args,
  )
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}
