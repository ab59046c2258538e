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
  type ParsedArgs,
  takes,
} from './commands.js'
import { OPTION_NAMES, OPTIONS, type Option, type OptionName, variableOf } from './options.js'
import { asUsage, UsageError } from './usage-error.js'

/** The actions of the commands. A number in the result is the exit code. */
export type Actions = {
  [Name in CommandName]: (args: ParsedArgs<Name>) => Promise<unknown>
}

/** Names of variables that `understudy up` prints for a shell, without `UNDERSTUDY_`. They set no option. */
const EXPORTED = ['instanode-mcp', 'safebot-mcp', 'control', 'gateway-instanode', 'gateway-safebot']

/**
 * Runs the command that the command line names. Help and the version are printed to stdout.
 *
 * @param args the words after `understudy`
 * @returns the exit code
 * @throws UsageError for a wrong command line
 * @throws the error of the command
 */
export async function runCommandLine(args: readonly string[], actions: Actions): Promise<number> {
  const line = split(args)
  if (line.own.length === 0) {
    throw new UsageError('no command', `there are ${COMMAND_NAMES.join(', ')}; --help tells more`)
  }
  const program = configure(new Command('understudy'))
    .usage('COMMAND [options]')
    .description('Local stand-ins for MCP servers, to test policy gateways against.')
    .enablePositionalOptions()
    .configureHelp({ subcommandTerm: command => command.name() })
    .addHelpText('after', '\nunderstudy COMMAND --help lists the options of a command.')
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
      .description('lists the options of a command')
      .allowExcessArguments()
      .action((_, { args: [name] }) => {
        const words = name === undefined ? [] : [name]
        parse(program, name === undefined || Object.hasOwn(COMMANDS, name) ? [...words, '-h'] : words)
      }),
  )
  if (!parse(program, line.own)) return 0
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
  const line = split(args)
  const parser = createParser(name)
  parse(parser.command, line.own)
  return parsedArgs(name, parser, line)
}

/** The words before and after the first `--`. */
interface Line {
  own: readonly string[]
  behind: readonly string[]
}

function split(args: readonly string[]): Line {
  const cut = args.includes('--') ? args.indexOf('--') : args.length
  const behind = args.slice(cut + 1)
  // `--via -- COMMAND` means the same as `-- COMMAND`.
  return { own: args.slice(0, args[cut - 1] === '--via' && behind.length > 0 ? cut - 1 : cut), behind }
}

/** Parses arguments. @returns whether a command has to run. False if help or the version was printed */
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
  return Object.hasOwn(COMMANDS, name) ? `understudy ${name} --help lists the options of ${name}` : undefined
}

function configure(command: Command): Command {
  return command
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .helpOption('-h, --help', 'print this help')
    .version(VERSION, '-v, --version', 'print the version')
}

/** A command, and the texts of its options on the command line. A switch has one empty text. */
interface Parser {
  command: Command
  texts: Map<OptionName, string[]>
}

/**
 * Creates a command with all options. Options of other commands are hidden, and an error names the commands
 * that have them.
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
    command.addOption(new CommanderOption(flags, about).hideHelp(!takes(name, key)))
    command.on(`option:${key}`, (text = '') => texts.set(key, [...(texts.get(key) ?? []), text]))
  }
  const variable = variableOf('safebot-port')
  command.addHelpText('after', `\nEvery option can also be set in the environment, e.g. ${variable}.`)
  return { command, texts }
}

function parsedArgs<Name extends CommandName>(
  name: Name,
  { command, texts }: Parser,
  { own, behind }: Line,
): ParsedArgs<Name> {
  const { options, operands = 0, program }: CommandDefinition = COMMANDS[name]
  for (const [key, values] of texts) {
    if (!takes(name, key)) throw foreignOption(name, key)
    const next = values.find(value => /^-\D/.test(value) && !own.includes(`--${key}=${value}`))
    if (next === undefined) continue
    throw new UsageError(
      `--${key} has no value before ${next}`,
      `write --${key}=${next} if that is its value`,
    )
  }
  const tooMany = command.args.slice(operands)
  if (tooMany.length > 0) {
    throw new UsageError(`"${tooMany.join(' ')}" is one word too many behind "${name}"`, helpHint(name))
  }
  if (behind.length > 0 && program !== true) {
    throw new UsageError(`"-- ${behind.join(' ')}" means nothing to ${name}`, helpHint(name))
  }
  const given = new Set<OptionName>()
  const values = options.map(key => {
    const value = givenValue(key, texts)
    if (value !== undefined) given.add(key)
    return [key, value ?? defaultValue(name, key)]
  })
  return {
    // The members are the options of this command, and each was read by its own definition.
    options: Object.fromEntries(values) as ParsedArgs<Name>['options'],
    given,
    operand: command.args[0],
    operands: command.args,
    program: behind,
  }
}

/**
 * Returns the value of an option from the command line, or else from the environment. Undefined if neither
 * sets the option.
 */
function givenValue(key: OptionName, texts: Parser['texts']): unknown {
  const option: Option = OPTIONS[key]
  const variable = variableOf(key)
  const inEnvironment = process.env[variable]
  if (option.argument === undefined) {
    return texts.has(key) || ['1', 'true'].includes(inEnvironment ?? '') || undefined
  }
  const onLine = texts.get(key)
  if (onLine !== undefined) return readTexts(option, onLine, `--${key}`)
  if (inEnvironment === undefined) return undefined
  const list = option.multiple ? inEnvironment.split(option.separator ?? ',') : [inEnvironment]
  return readTexts(option, list, variable)
}

function defaultValue(name: CommandName, key: OptionName): unknown {
  const option: Option = OPTIONS[key]
  if (option.argument === undefined) return false
  const text = defaultOf(name, key)
  if (text !== undefined) return readTexts(option, [text], `--${key}`)
  return option.multiple ? [] : undefined
}

/** Reads the values of an option. If the option must not be repeated, reads only its last value. */
function readTexts(option: Option, texts: readonly string[], source: string): unknown {
  const read = (text: string) => asUsage(() => option.read?.(text, source) ?? text)
  return option.multiple ? texts.map(read) : read(texts.at(-1) ?? '')
}

function foreignOption(name: CommandName, key: OptionName): UsageError {
  const near = closestName(key, COMMANDS[name].options)
  return new UsageError(
    `--${key} means nothing with ${name}`,
    near === undefined
      ? `it is an option of ${commandsWith(key).join(', ')}; ${helpHint(name)}`
      : `did you mean --${near}?`,
  )
}

/** Warns of environment variables that look like options but set none. */
function warnOfVariables(): void {
  const known = [...OPTION_NAMES, ...EXPORTED]
  const prefix = variableOf('')
  for (const variable of Object.keys(process.env)) {
    if (!variable.startsWith(prefix) || known.some(name => variableOf(name) === variable)) continue
    const near = closestName(variable.slice(prefix.length).replaceAll('_', '-'), known)
    const hint = near === undefined ? 'it is ignored' : `did you mean ${variableOf(near)}?`
    process.stderr.write(`understudy: no command has an option for ${variable}: ${hint}\n`)
  }
}
