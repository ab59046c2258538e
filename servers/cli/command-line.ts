import { Command, CommanderError, Option as CommanderOption } from 'commander'
import { closestName } from '../../shared/util/closest-name.js'
import { VERSION } from '../../shared/util/version.js'
import {
  COMMAND_NAMES,
  COMMANDS,
  type CommandDefinition,
  type CommandName,
  commandsWith,
  defaultOf,
  hasOption,
  type ParsedArgs,
} from './commands.js'
import { OPTION_NAMES, OPTIONS, type Option, type OptionName, variableOf } from './options.js'
import { asUsage, UsageError } from './usage-error.js'

/** The functions that carry out the commands. A number as the result is the exit code. */
export type Actions = {
  [Name in CommandName]: (args: ParsedArgs<Name>) => Promise<unknown>
}

/**
 * Environment variables that `understudy up` prints for a shell, without `UNDERSTUDY_`. They do not set
 * options.
 */
const EXPORTED_VARIABLES = ['instanode-mcp', 'safebot-mcp', 'control', 'gateway-instanode', 'gateway-safebot']

/**
 * Runs the command that the command line names. Prints help and the version to stdout.
 *
 * @param args the words after `understudy`
 * @returns the exit code
 * @throws UsageError for a wrong command line
 * @throws the error of the command
 */
export async function runCommandLine(args: readonly string[], actions: Actions): Promise<number> {
  const line = splitAtDashes(args)
  if (line.ownArgs.length === 0) {
    const hint = `name one of ${COMMAND_NAMES.join(', ')}; understudy --help describes them`
    throw new UsageError('no command', hint)
  }
  const program = configure(new Command('understudy'))
    .usage('COMMAND [options]')
    .description('Local stand-ins for MCP servers, to test policy gateways against.')
    .enablePositionalOptions()
    .configureHelp({ subcommandTerm: command => command.name() })
    .addHelpText('after', '\nunderstudy COMMAND --help prints the options of that command.')
  let run = async (): Promise<unknown> => 0
  const add = <Name extends CommandName>(name: Name): void => {
    const parser = createParser(name)
    program.addCommand(parser.command)
    parser.command.action(() => {
      const parsed = parsedArgs(name, parser, line)
      run = () => actions[name](parsed)
    })
  }
  for (const name of COMMAND_NAMES) add(name)
  program.helpCommand(false)
  program.addCommand(
    configure(new Command('help'))
      .usage('[COMMAND]')
      .description('prints the options of a command')
      .allowExcessArguments()
      .action((_, { args: [name] }) => {
        const words = name === undefined ? [] : [name]
        parse(program, name === undefined || Object.hasOwn(COMMANDS, name) ? [...words, '-h'] : words)
      }),
  )
  if (!parse(program, line.ownArgs)) return 0
  warnOfVariables()
  const code = await run()
  return typeof code === 'number' ? code : 0
}

/**
 * Reads the arguments of one command.
 *
 * @throws UsageError for wrong arguments
 */
export function readArgs<Name extends CommandName>(name: Name, args: readonly string[]): ParsedArgs<Name> {
  const line = splitAtDashes(args)
  const parser = createParser(name)
  parse(parser.command, line.ownArgs)
  return parsedArgs(name, parser, line)
}

/** The arguments before and after the first `--`. */
interface SplitArgs {
  ownArgs: readonly string[]
  afterDashes: readonly string[]
}

function splitAtDashes(args: readonly string[]): SplitArgs {
  const cut = args.includes('--') ? args.indexOf('--') : args.length
  const afterDashes = args.slice(cut + 1)
  // `--via -- COMMAND` means the same as `-- COMMAND`.
  return {
    ownArgs: args.slice(0, args[cut - 1] === '--via' && afterDashes.length > 0 ? cut - 1 : cut),
    afterDashes,
  }
}

/**
 * Parses arguments.
 *
 * @returns whether a command has to run. False if help or the version was printed
 * @throws UsageError for wrong arguments
 */
function parse(command: Command, args: readonly string[]): boolean {
  try {
    command.parse(args, { from: 'user' })
    return true
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return false
    const [reason = '', suggestion] = error.message.replace(/^error: /, '').split('\n')
    throw new UsageError(reason, suggestion?.replace(/^\(D(.*)\)$/, 'd$1') ?? helpHint(args[0] ?? ''))
  }
}

function helpHint(name: string): string | undefined {
  return Object.hasOwn(COMMANDS, name) ? `understudy ${name} --help prints its options` : undefined
}

function configure(command: Command): Command {
  return command
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .helpOption('-h, --help', 'print this help')
    .version(VERSION, '-v, --version', 'print the version')
}

/**
 * A commander command, and the texts of the options on the command line. A switch has an empty text each time
 * it is given.
 */
interface Parser {
  command: Command
  texts: Map<OptionName, string[]>
}

/**
 * Creates the parser of a command. It also accepts the options of other commands, so that an error can name
 * the commands that have them. The help hides these options.
 */
function createParser(name: CommandName): Parser {
  const { help, usage }: CommandDefinition = COMMANDS[name]
  const command = configure(new Command(name)).usage(usage).description(help).allowExcessArguments()
  const texts = new Map<OptionName, string[]>()
  for (const key of OPTION_NAMES) {
    const option: Option = OPTIONS[key]
    const fallback = defaultOf(name, key) ?? option.otherwise
    const about = fallback === undefined ? option.help : `${option.help} (default: ${fallback})`
    const flags = option.argument === undefined ? `--${key}` : `--${key} <${option.argument}>`
    command.addOption(new CommanderOption(flags, about).hideHelp(!hasOption(name, key)))
    command.on(`option:${key}`, (text = '') => texts.set(key, [...(texts.get(key) ?? []), text]))
  }
  const variable = variableOf('safebot-port')
  command.addHelpText('after', `\nEvery option can also be set in the environment, e.g. ${variable}.`)
  return { command, texts }
}

function parsedArgs<Name extends CommandName>(
  name: Name,
  { command, texts }: Parser,
  { ownArgs, afterDashes }: SplitArgs,
): ParsedArgs<Name> {
  const { options, operands = 0, program }: CommandDefinition = COMMANDS[name]
  for (const [key, values] of texts) {
    if (!hasOption(name, key)) throw foreignOption(name, key)
    const next = values.find(value => /^-\D/.test(value) && !ownArgs.includes(`--${key}=${value}`))
    if (next === undefined) continue
    throw new UsageError(
      `--${key} has no value before ${next}`,
      `if ${next} is the value, write --${key}=${next}`,
    )
  }
  const tooMany = command.args.slice(operands)
  if (tooMany.length > 0) {
    throw new UsageError(`unexpected "${tooMany.join(' ')}" after "${name}"`, helpHint(name))
  }
  if (afterDashes.length > 0 && program !== true) {
    throw new UsageError(
      `${name} starts no program, so "-- ${afterDashes.join(' ')}" has no meaning`,
      helpHint(name),
    )
  }
  const given = new Set<OptionName>()
  const values = options.map(key => {
    const value = explicitValue(key, texts)
    if (value !== undefined) given.add(key)
    return [key, value ?? defaultValue(name, key)]
  })
  return {
    // The keys are the options of this command, and the definition of each option has read its value.
    options: Object.fromEntries(values) as ParsedArgs<Name>['options'],
    given,
    operand: command.args[0],
    operands: command.args,
    program: afterDashes,
  }
}

/**
 * Returns the value of an option from the command line. If the command line has none, returns the value from
 * the environment. Undefined if neither sets the option.
 */
function explicitValue(key: OptionName, texts: Parser['texts']): unknown {
  const option: Option = OPTIONS[key]
  const variable = variableOf(key)
  const environmentText = process.env[variable]
  if (option.argument === undefined) {
    return texts.has(key) || ['1', 'true'].includes(environmentText ?? '') || undefined
  }
  const lineTexts = texts.get(key)
  if (lineTexts !== undefined) return readValues(option, lineTexts, `--${key}`)
  if (environmentText === undefined) return undefined
  const list = option.multiple ? environmentText.split(option.separator ?? ',') : [environmentText]
  return readValues(option, list, variable)
}

/** Returns the value of an option that neither the command line nor the environment sets. */
function defaultValue(name: CommandName, key: OptionName): unknown {
  const option: Option = OPTIONS[key]
  if (option.argument === undefined) return false
  const text = defaultOf(name, key)
  if (text !== undefined) return readValues(option, [text], `--${key}`)
  return option.multiple ? [] : undefined
}

/**
 * Reads the values of an option from their texts. If the option cannot be repeated, reads only the last text.
 */
function readValues(option: Option, texts: readonly string[], source: string): unknown {
  const read = (text: string) => asUsage(() => option.read?.(text, source) ?? text)
  return option.multiple ? texts.map(read) : read(texts.at(-1) ?? '')
}

/** Returns the error for an option that another command has. */
function foreignOption(name: CommandName, key: OptionName): UsageError {
  const near = closestName(key, COMMANDS[name].options)
  return new UsageError(
    `${name} has no option --${key}`,
    near === undefined
      ? `it is an option of ${commandsWith(key).join(', ')}; ${helpHint(name)}`
      : `did you mean --${near}?`,
  )
}

/** Warns of environment variables that begin with `UNDERSTUDY_` but belong to no option. */
function warnOfVariables(): void {
  const known = [...OPTION_NAMES, ...EXPORTED_VARIABLES]
  const prefix = variableOf('')
  for (const variable of Object.keys(process.env)) {
    if (!variable.startsWith(prefix) || known.some(name => variableOf(name) === variable)) continue
    const near = closestName(variable.slice(prefix.length).replaceAll('_', '-'), known)
    const hint = near === undefined ? 'it is ignored' : `did you mean ${variableOf(near)}?`
    process.stderr.write(`understudy: no command has an option for ${variable}: ${hint}\n`)
  }
}
