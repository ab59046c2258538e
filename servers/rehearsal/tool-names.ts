import { Refusal } from '../../shared/errors.js'
import type { ServerName } from '../../shared/util/known-tools.js'

/**
 * The names that the gateway has for the tools: a pattern, e.g. `inst-{tool-kebab}`, or a map from the tool
 * to its name at the gateway.
 */
export type ToolNaming = string | Readonly<Record<string, string>>

/** Translates tool names between the rehearsal and the gateway, for one server. */
export interface ToolNames {
  /** Returns the name that a tool has at the gateway. */
  outward(tool: string): string
  /** Returns the tool with this name at the gateway. Returns an unknown name unchanged. */
  inward(name: string): string
}

/**
 * Checks that a pattern contains `{tool}` or `{tool-kebab}`, and no unknown placeholder. A map is always
 * valid.
 *
 * @param source the option or field that has the pattern, for the error, e.g. `--tools`
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
    'a pattern contains {tool} or {tool-kebab}, and optionally {server}, e.g. "inst-{tool-kebab}"',
  )
}

/** Creates the translation of tool names for one server. */
export function toolNames(naming: ToolNaming, server: ServerName, tools: readonly string[]): ToolNames {
  const outward = (tool: string): string => {
    if (typeof naming !== 'string') return Object.hasOwn(naming, tool) ? (naming[tool] ?? tool) : tool
    // A tool that the server does not have keeps its underscores, so that a similar name stays similar.
    const kebab = tools.includes(tool) ? tool.replaceAll('_', '-') : tool
    return naming.replace(/\{(tool-kebab|tool|server)\}/g, (_, part) =>
      part === 'server' ? server : part === 'tool' ? tool : kebab,
    )
  }
  const inward = new Map(tools.map(tool => [outward(tool), tool]))
  return { outward, inward: name => inward.get(name) ?? name }
}
