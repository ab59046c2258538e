#!/usr/bin/env node
import { Refusal } from '../../shared/errors.js'
import { OPTIONS, type OptionName, readCommandLine, UsageError, variableOf } from './options.js'

/** Each command, in one line. */
const COMMANDS = {
  up: 'the servers over HTTP, and the control plane',
  instanode: 'Instanode on stdio, for the config of an MCP host; --http PORT serves HTTP instead',
  safebot: 'Safebot on stdio, for the config of an MCP host; --http PORT serves HTTP instead',
  gateway:
    'POLICY --upstream URL [--port PORT], or POLICY -- COMMAND: enforces a policy in front of an MCP server',
  rehearse: 'POLICY: carry it out in front of the stand-ins, and tell what got through',
  check: 'FILE: how a policy is read, tool by tool, and what looks wrong with it',
  demo: 'the servers, gateways in front of them and two agents, narrated; --fast runs to the end without pauses',
} as const

/** Each command is loaded when it is asked for: a stdio server has to start fast. @returns the exit code */
async function main(args: string[]): Promise<number> {
  const given = readCommandLine(args, process.env)
  if (given.flag('version')) {
    const { VERSION } = await import('../../shared/util/version.js')
    process.stdout.write(`${VERSION}\n`)
  } else if (given.flag('help')) process.stdout.write(help())
  else if (given.command === 'up') await (await import('./up.js')).up(given)
  else if (given.command === 'instanode') await (await import('./instanode.js')).instanode(given)
  else if (given.command === 'safebot') await (await import('./safebot.js')).safebot(given)
  else if (given.command === 'gateway') return (await import('./gateway.js')).gateway(given)
  else if (given.command === 'rehearse') return (await import('./rehearse.js')).rehearse(given)
  else if (given.command === 'demo') return (await import('./demo.js')).demo(given)
  else if (given.command === 'check') return (await import('./check.js')).check(given)
  else {
    const known = `there are ${Object.keys(COMMANDS).join(', ')}; --help tells more`
    throw new UsageError(
      given.command === undefined ? 'no command' : `"${given.command}" is no command`,
      known,
    )
  }
  return 0
}

/** The text of `--help`. */
function help(): string {
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

main(process.argv.slice(2)).then(
  // What a client left open must not keep a server alive that has said all it had to say.
  code => process.exit(code),
  error => {
    const sentence = error instanceof Refusal ? error.sentence : String(error)
    process.stderr.write(`understudy: ${sentence}\n`)
    process.exit(error instanceof UsageError ? 2 : 1)
  },
)
