import { OPTIONS, type OptionName, variableOf } from './options.js'

/** Each command, in one line. */
export const COMMANDS = {
  up: 'the servers over HTTP, and the control plane',
  instanode: 'Instanode on stdio, for the config of an MCP host; --http PORT serves HTTP instead',
  safebot: 'Safebot on stdio, for the config of an MCP host; --http PORT serves HTTP instead',
  gateway:
    'POLICY --upstream URL [--port PORT], or POLICY -- COMMAND: enforces a policy in front of an MCP server',
  rehearse: 'POLICY: carry it out in front of the stand-ins, and tell what got through',
  check: 'FILE: how a policy is read, tool by tool, and what looks wrong with it',
  demo: 'the servers, gateways in front of them and two agents, narrated; --fast runs to the end without pauses',
} as const

/** The text of `--help`. */
export function help(): string {
  const commands = Object.entries(COMMANDS).map(([name, about]) => `  ${name.padEnd(24)}${about}`)
  const options = Object.keys(OPTIONS).filter(isOption).map(describe)
  return [
    'understudy COMMAND [options]: local stand-ins for MCP servers, to test policy gateways against',
    '',
    ...commands,
    '',
    ...options,
    '',
    `Every option may be set in the environment, e.g. ${variableOf('safebot-port')}.`,
    '',
  ].join('\n')
}

function describe(name: OptionName): string {
  const option: { value?: string; fallback?: string; about: string } = OPTIONS[name]
  const usage = `--${name}${option.value === undefined ? '' : ` ${option.value}`}`
  const fallback = option.fallback === undefined ? '' : ` (${option.fallback})`
  return `  ${usage.padEnd(24)}${option.about}${fallback}`
}

function isOption(name: string): name is OptionName {
  return name in OPTIONS
}
