import { cut } from '../../../shared/util/shown.js'
import type { CounterFinder } from './conditions.js'
import { entryOf, type Located, plain } from './located.js'

/** What a path calls the counters of `*`. */
export const GLOBAL = '_global'

/** The scope of a tool's counters as a path has it. */
export function scopeOf(tool: string): string {
  return tool === '*' ? GLOBAL : tool
}

/**
 * Finds counters by `state.<scope>.<counter>`. The path is cut at its first two dots, so the counters of a tool with a dot in its name
 * cannot be named.
 *
 * @param root the policy: conditions may name counters of rules further down
 */
export function counterFinder(root: Located): CounterFinder {
  const known = new Set<string>()
  const tools = entryOf(root, 'tools')
  for (const { key: tool, value } of tools?.kind === 'map' ? tools.entries : []) {
    const rules = entryOf(value, 'rules')
    for (const rule of rules?.kind === 'list' ? rules.items : []) {
      const counter = entryOf(entryOf(rule, 'state'), 'counter')
      if (counter !== undefined) known.add(`state.${scopeOf(tool)}.${plain(counter)}`)
      const shorthand = entryOf(rule, 'rate_limit')
      const window = shorthand === undefined ? undefined : String(plain(shorthand)).split('/')[1]
      if (window !== undefined) known.add(`state.${scopeOf(tool)}._rate_${window}`)
    }
  }
  return (path, place) => {
    if (known.has(path)) return path
    const all = known.size === 0 ? 'no rule has a state block' : `there are ${cut([...known].join(', '))}`
    return place.mismatch(`it names no counter of a state block: ${all}`)
  }
}
