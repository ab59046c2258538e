import { Refusal } from '../../shared/errors.js'
import type { ServerName } from '../../shared/util/known-tools.js'

/** The names that a gateway gives to tools: a pattern, e.g. `inst-{tool-kebab}`, or the name for each tool. */
export type ToolNaming = string | Readonly<Record<string, string>>

/** Both directions of a naming, for one server. */
export interface ToolNames {
  /** Returns the name that the gateway has for a tool. */
  outward(tool: string): string
  /** Returns the tool behind a name. A name that is not in use stays as it is. */
  inward(name: string): string
}

/**
 * Requires a pattern that has a place for the tool.
 *
 * @param source names the pattern in the error, e.g. `--tools`
 * @throws Refusal `bad_tools`
 */
export function checkNaming(naming: ToolNaming, source: string): void {
  if (typeof naming !== 'string') return
  const unknown = [...naming.matchAll(/\{[^}]*\}/g)].find(
    ([part]) => !['{tool}', '{tool-kebab}', '{server}'].includes(part),
  )
  if (unknown === undefined && /\{tool(-kebab)?\}/.test(naming)) return
  throw new Refusal(
    'bad_tools',
    `${source} is ${JSON.stringify(naming)}, ${unknown === undefined ? 'without {tool}' : `with ${unknown[0]}`}`,
    'a pattern takes {tool} or {tool-kebab}, and {server}: "inst-{tool-kebab}"',
  )
}

/** Reads a naming for the tools of one server. */
export function toolNames(naming: ToolNaming, server: ServerName, tools: readonly string[]): ToolNames {
  const outward = (tool: string): string => {
    if (typeof naming !== 'string') return Object.hasOwn(naming, tool) ? (naming[tool] ?? tool) : tool
    // A name that is almost that of a tool has to stay so.
    const kebab = tools.includes(tool) ? tool.replaceAll('_', '-') : tool
    return naming.replace(/\{(tool-kebab|tool|server)\}/g, (_, part) =>
      part === 'server' ? server : part === 'tool' ? tool : kebab,
    )
  }
  const inward = new Map(tools.map(tool => [outward(tool), tool]))
  return { outward, inward: name => inward.get(name) ?? name }
}
