import { OPTIONS, type Option, type OptionName, type Values } from './options.js'
import { UsageError } from './usage-error.js'

/** One subcommand, and the options that it takes. */
export interface CommandDefinition {
  help: string
  /** The usage after the name of the command. */
  usage: string
  /** Largest number of operands. Default 0. */
  operands?: number
  /** Whether `-- PROGRAM …` may follow. */
  program?: true
  options: readonly OptionName[]
  /** Defaults that differ from those of the options. */
  defaults?: Partial<Record<OptionName, string>>
}

const LISTENER = ['host', 'allow-host'] as const
/** Options of every command that starts a server. */
export const INSTANCE_OPTIONS = [
  'clock',
  'seed',
  'contract',
  'protocol',
  'world',
  'store',
  'journal',
  'journal-sync',
  'stamp',
] as const
const DATABASES = ['databases', 'data-dir'] as const
const SERVERS = ['instanode-port', 'safebot-port'] as const

export const COMMANDS = {
  up: {
    help: 'both servers over HTTP, and the control plane',
    usage: '[options]',
    options: [
      ...LISTENER,
      ...SERVERS,
      'control-port',
      'policy',
      'dialect',
      'gateway-instanode-port',
      'gateway-safebot-port',
      'upstream-header',
      'approval-hold',
      'denial-text',
      ...INSTANCE_OPTIONS,
      ...DATABASES,
      'attack',
      'json',
    ],
  },
  instanode: {
    help: 'Instanode on stdio, for the config of an MCP host; --http PORT serves HTTP instead',
    usage: '[options]',
    options: ['http', ...LISTENER, ...INSTANCE_OPTIONS, ...DATABASES, 'connect'],
  },
  safebot: {
    help: 'Safebot on stdio, for the config of an MCP host; --http PORT serves HTTP instead',
    usage: '[options]',
    options: ['http', ...LISTENER, ...INSTANCE_OPTIONS, 'connect'],
  },
  gateway: {
    help: 'enforces a policy in front of an MCP server, on stdio or over HTTP',
    usage: '[POLICY] (--upstream URL | -- COMMAND …) [options]',
    operands: 1,
    program: true,
    options: [
      'upstream',
      'port',
      ...LISTENER,
      'upstream-header',
      'pass-header',
      'handle',
      'dialect',
      'denial-text',
      'grants',
      'grant',
      'approval-hold',
      'approval-port',
      'audit',
      'clock',
      'seed',
      'json',
    ],
    defaults: { clock: 'real' },
  },
  rehearse: {
    help: 'sends calls through a gateway to the stand-ins, and reports which of them get through',
    usage: '(POLICY… | --scenario FILE) [options] [-- COMMAND …]',
    operands: Number.POSITIVE_INFINITY,
    program: true,
    options: [
      'via',
      'scenario',
      'tools',
      'attach',
      'control-port',
      'dialect',
      'server',
      'bearer',
      'watch',
      'wait-windows',
      'timeout',
      'protocol',
      ...SERVERS,
      'strict',
      'json',
      'junit',
    ],
  },
  check: {
    help: 'explains how a policy or a scenario is read, and warns of what looks wrong',
    usage: 'FILE [options]',
    operands: 1,
    options: ['dialect', 'json', 'strict'],
  },
  demo: {
    help: 'both servers, gateways in front of them and two agents, narrated',
    usage: '[options]',
    options: ['fast', 'policy', 'control-port'],
    // The port of the control plane does not matter here, and `understudy up` may already use the usual one.
    defaults: { 'control-port': '0' },
  },
} as const satisfies Record<string, CommandDefinition>

export type CommandName = keyof typeof COMMANDS

export const COMMAND_NAMES = Object.keys(COMMANDS).filter((name): name is CommandName => name in COMMANDS)

/** Returns the commands that take an option. */
export function commandsWith(name: OptionName): CommandName[] {
  return COMMAND_NAMES.filter(command => takes(command, name))
}

export function takes(command: CommandName, name: OptionName): boolean {
  const { options }: CommandDefinition = COMMANDS[command]
  return options.includes(name)
}

/** Returns the default of a command's option. Undefined if the default is not one value. */
export function defaultOf(command: CommandName, name: OptionName): string | undefined {
  const { defaults }: CommandDefinition = COMMANDS[command]
  const option: Option = OPTIONS[name]
  return defaults?.[name] ?? option.default
}

/** The arguments of a command. Options come from the command line, the environment and the defaults. */
export interface ParsedArgs<Command extends CommandName> {
  readonly options: Values<(typeof COMMANDS)[Command]['options'][number]>
  /** The options that the command line or the environment sets. */
  readonly given: ReadonlySet<OptionName>
  /** The first word after the command. */
  readonly operand: string | undefined
  /** All words after the command. */
  readonly operands: readonly string[]
  /** The words after `--`, which name a program to start. */
  readonly program: readonly string[]
}

/**
 * Refuses options that have no meaning together with other options of the same command.
 *
 * @param beside names the other options, e.g. `--connect`
 * @throws UsageError that names the first refused option
 */
export function refuseOptions(
  given: ReadonlySet<OptionName>,
  names: readonly OptionName[],
  beside: string,
): void {
  const name = names.find(refused => given.has(refused))
  if (name !== undefined) throw new UsageError(`--${name} means nothing with ${beside}`, 'leave one out')
}
