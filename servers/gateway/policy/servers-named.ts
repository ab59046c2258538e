import { SERVER_NAMES, type ServerName } from '../../../shared/util/server-name.js'
import { knownTool } from './known-tools.js'
import type { Policy } from './model.js'

/** The tools that a policy names. */
export function toolsNamed({ tools, hide }: Policy): string[] {
  return [...tools.keys(), ...hide].filter(name => name !== '*')
}

/** The stand-ins that have the tools, in the order they are started. */
export function serversOf(tools: readonly string[]): ServerName[] {
  const servers = new Set(tools.flatMap(name => knownTool(name)?.server ?? []))
  return SERVER_NAMES.filter(server => servers.has(server))
}
