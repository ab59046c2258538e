import { Refusal } from '../../shared/errors.js'
import type { ServerName } from '../../shared/util/known-tools.js'

/**
 * The gateway's names for the tools: a pattern, e.g. `inst-{tool-kebab}`, or a map with the name of each
 * tool.
 */
export type ToolNaming = string | Readonly<Record<string, string>>

/** Translates the tool names of one server in both directions. */
export interface ToolNames {
  /** Returns the gateway's name for a tool. */
  outward(tool: string): string
  /** Returns the tool that has this name at the gateway. Returns an unknown name unchanged. */
  inward(name: string): string
}

/**
 * Checks that a pattern contains `{tool}` or `{tool-kebab}`, and no unknown placeholder. A map is always
 * valid.
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

/** Returns the translation of names for the tools of one server. */
export function toolNames(naming: ToolNaming, server: ServerName, tools: readonly string[]): ToolNames {
  const outward = (tool: string): string => {
    if (typeof naming !== 'string') return Object.hasOwn(naming, tool) ? (naming[tool] ?? tool) : tool
    // A name that is only similar to a tool keeps its underscores, so that it stays similar.
    const kebab = tools.includes(tool) ? tool.replaceAll('_', '-') : tool
    return naming.replace(/\{(tool-kebab|tool|server)\}/g, (_, part) =>
      part === 'server' ? server : part === 'tool' ? tool : kebab,
    )
  }
  const inward = new Map(tools.map(tool => [outward(tool), tool]))
  return { outward, inward: name => inward.get(name) ?? name }
}
