import { OPTIONS, type Option, type OptionName, type Values } from './options.js'
import { UsageError } from './usage-error.js'

/** The definition of a command. */
export interface CommandDefinition {
  /** Describes the command. */
  help: string
  /** The part of the usage line after the name of the command. */
  usage: string
  /** Maximum number of operands. Default 0. */
  operands?: number
  /** Whether `-- PROGRAM …` may follow. */
  program?: true
  options: readonly OptionName[]
  /** Defaults of this command that replace those of the options. */
  defaults?: Partial<Record<OptionName, string>>
}

const LISTENER = ['host', 'allow-host'] as const

/** The options of every command that starts a stand-in. */
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
    help: 'starts both stand-ins over HTTP, and the control plane',
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
    help: 'serves Instanode on stdio, for the config of an MCP host; --http PORT serves HTTP instead',
    usage: '[options]',
    options: ['http', ...LISTENER, ...INSTANCE_OPTIONS, ...DATABASES, 'connect'],
  },
  safebot: {
    help: 'serves Safebot on stdio, for the config of an MCP host; --http PORT serves HTTP instead',
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
    help: 'sends calls through a gateway to the stand-ins, and reports which calls it wrongly allows or denies',
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
    help: 'explains the meaning of a policy or a scenario, and warns of likely mistakes',
    usage: 'FILE [options]',
    operands: 1,
    options: ['dialect', 'json', 'strict'],
  },
  demo: {
    help: 'runs both stand-ins, gateways in front of them and two agents, and explains each step',
    usage: '[options]',
    options: ['fast', 'policy', 'control-port'],
    // `understudy up` may already use the default port.
    defaults: { 'control-port': '0' },
  },
} as const satisfies Record<string, CommandDefinition>

export type CommandName = keyof typeof COMMANDS

export const COMMAND_NAMES = Object.keys(COMMANDS).filter((name): name is CommandName => name in COMMANDS)

/** Returns the commands that have an option. */
export function commandsWith(name: OptionName): CommandName[] {
  return COMMAND_NAMES.filter(command => hasOption(command, name))
}

/** Returns whether a command has an option. */
export function hasOption(command: CommandName, name: OptionName): boolean {
  const { options }: CommandDefinition = COMMANDS[command]
  return options.includes(name)
}

/**
 * Returns the text of the default of an option for a command. Undefined if the default is not a fixed value.
 */
export function defaultOf(command: CommandName, name: OptionName): string | undefined {
  const { defaults }: CommandDefinition = COMMANDS[command]
  const option: Option = OPTIONS[name]
  return defaults?.[name] ?? option.default
}

/** The arguments of a command. The options also include values from the environment, and defaults. */
export interface ParsedArgs<Command extends CommandName> {
  readonly options: Values<(typeof COMMANDS)[Command]['options'][number]>
  /** The options that the command line or the environment sets. */
  readonly given: ReadonlySet<OptionName>
  /** The first operand. */
  readonly operand: string | undefined
  /** All words after the command that are not options. */
  readonly operands: readonly string[]
  /** The words after `--`: a program to start, and its arguments. */
  readonly program: readonly string[]
}

/**
 * Refuses options that cannot be combined with other options of the same command.
 *
 * @param given the options that the command line or the environment sets
 * @param names the options to refuse
 * @param when describes the other options in the error, e.g. `with --connect`
 * @throws UsageError that names the first refused option
 */
export function refuseOptions(
  given: ReadonlySet<OptionName>,
  names: readonly OptionName[],
  when: string,
): void {
  const name = names.find(refused => given.has(refused))
  if (name !== undefined) throw new UsageError(`--${name} cannot be used ${when}`, `leave --${name} out`)
}
