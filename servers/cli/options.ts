import { type ParseArgsConfig, parseArgs } from 'node:util'
import { Refusal } from '../../shared/errors.js'

/** One option of the command: how it is given, what it means, and what it is if it is not given. */
interface Option {
  /** Shown in the help behind the name; none for a switch. */
  value?: string
  multiple?: true
  /** What stands between several of them in the environment. Default: a comma. */
  separator?: string
  fallback?: string
  about: string
}

/** The options, by name; each may also be set as `UNDERSTUDY_<NAME>`. */
export const OPTIONS = {
  host: { value: 'ADDRESS', fallback: '127.0.0.1', about: 'address of every listener' },
  'allow-host': { value: 'NAME', multiple: true, about: 'further Host name to accept; may be repeated' },
  'instanode-port': { value: 'PORT', fallback: '4801', about: 'port of Instanode; 0 picks a free one' },
  'safebot-port': { value: 'PORT', fallback: '4802', about: 'port of Safebot; 0 picks a free one' },
  'control-port': {
    value: 'PORT',
    fallback: '4800',
    about: 'port of the control plane of up, demo; 0 picks a free one',
  },
  http: { value: 'PORT', about: 'serve HTTP on this port instead of stdio' },
  clock: { value: 'CLOCK', fallback: 'real', about: 'real, manual, or manual@2026-01-01T00:00:00Z' },
  seed: { value: 'TEXT', about: 'seeds every id, token and key; default: random' },
  contract: { value: 'NAME', fallback: 'documented', about: 'documented, or observed' },
  world: {
    value: 'WORLD',
    fallback: 'default',
    about: 'starting state: default, empty, busy, multi-tenant, near-limits, or a file',
  },
  databases: {
    value: 'SOURCE',
    fallback: 'embedded',
    about: 'embedded, or the URL of a PostgreSQL administrator; beside a store, the server it is on',
  },
  store: {
    value: 'STORE',
    fallback: 'memory',
    about: 'memory, or the postgres:// URL of a store that is shared with whoever names it',
  },
  'data-dir': { value: 'DIR', about: 'where embedded databases stay; default: a temporary one' },
  journal: { value: 'FILE', about: 'also append the journal as JSON lines' },
  'journal-sync': { about: 'write a call to the file of --journal, and flush it, before it is answered' },
  connect: { value: 'URL', about: 'be a client of a running stand-in, or of what has its HTTP API' },
  attack: {
    value: 'NAME',
    multiple: true,
    about: 'of up: turn hostile, in the way that fixtures/attacks says; may be repeated',
  },
  policy: {
    value: '[SERVER=]FILE',
    multiple: true,
    about:
      'of up, demo: a gateway in front of instanode or safebot that enforces this policy; may be repeated',
  },
  'gateway-instanode-port': {
    value: 'PORT',
    fallback: '4803',
    about: 'port of the gateway in front of Instanode; 0 picks a free one',
  },
  'gateway-safebot-port': {
    value: 'PORT',
    fallback: '4804',
    about: 'port of the gateway in front of Safebot; 0 picks a free one',
  },
  stamp: { about: 'name the instance and the journal entry in the headers of HTTP answers' },
  upstream: { value: 'URL', about: 'of gateway: the MCP endpoint behind it; or -- COMMAND to start one' },
  port: { value: 'PORT', about: 'of gateway: serve HTTP on this port instead of stdio; 0 picks a free one' },
  'upstream-header': {
    value: '"NAME: VALUE"',
    multiple: true,
    separator: '\n',
    about: 'of gateway, up: sent with each request, e.g. a credential; may be repeated',
  },
  'pass-header': {
    value: 'NAME',
    multiple: true,
    about: 'of gateway: a further header of callers to pass on; may be repeated',
  },
  handle: {
    value: 'WAY',
    fallback: 'pass',
    about: 'of gateway: pass or drop the handle a caller of Safebot names, or set it by grant',
  },
  grants: {
    value: 'FILE',
    about: 'of gateway: who may call, each by a bearer and under a policy of its own',
  },
  grant: { value: 'LABEL', about: 'of gateway: which of them the client on stdio is' },
  'approval-hold': {
    value: 'SECONDS',
    fallback: '0',
    about: 'of gateway, up: how long a call waits for its approval; 0 refuses it at once',
  },
  'approval-port': {
    value: 'PORT',
    about: 'of gateway: where approvals are decided: GET /approvals, POST /approvals/ID; not for agents',
  },
  audit: { value: 'FILE', about: 'of gateway: append what was made of each call, as JSON lines' },
  via: {
    value: 'GATEWAY',
    about:
      'of rehearse: builtin, or the URL of a gateway; or -- COMMAND to start one, stdio -- for its pipes',
  },
  scenario: { value: 'FILE', about: 'of rehearse: what to do; default: all that the policy speaks of' },
  server: { value: 'NAME', about: 'of rehearse: instanode, safebot or both; default: by the policy' },
  bearer: {
    value: 'TOKEN',
    multiple: true,
    about: 'of rehearse: what a gateway that is not the builtin one knows a caller by; may be repeated',
  },
  fast: { about: 'of demo: no pauses, and exit after the last scene: 0, or 1 if a check failed' },
  json: { about: 'machine-readable output' },
  strict: { about: 'check: exit code 1 also for what merely looks wrong' },
  help: { about: 'this text' },
  version: { about: 'the version' },
} as const satisfies Record<string, Option>

/** How many words a command takes behind its name; the others take none. */
const OPERANDS: Readonly<Record<string, number>> = { check: 1, gateway: 1, rehearse: 1 }

export type OptionName = keyof typeof OPTIONS

/** What the command line and the environment say. */
export interface Given {
  command: string | undefined
  /** The words behind the command. */
  operands: readonly string[]
  /** Those behind `--`: a command to start. */
  behind: readonly string[]
  text(name: OptionName): string | undefined
  texts(name: OptionName): string[]
  flag(name: OptionName): boolean
  /** Whether the command line or the environment says anything of it. */
  has(name: OptionName): boolean
}

/** A command line that cannot be carried out as it stands: exit code 2. */
export class UsageError extends Refusal {
  override readonly name = 'UsageError'

  constructor(message: string, hint = 'understudy --help lists what there is') {
    super('usage', message, hint)
  }
}

/** Runs a reader of an option's value: what it refuses is a matter of usage. */
export function asUsage<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw error instanceof Refusal ? new UsageError(error.reason, error.hint) : error
  }
}

/**
 * Reads the command line; what it does not say is taken from `UNDERSTUDY_<NAME>`, then from the option's default.
 *
 * @throws UsageError for an unknown option or one without its value
 */
export function readCommandLine(args: string[], env: NodeJS.ProcessEnv): Given {
  const cut = args.includes('--') ? args.indexOf('--') : args.length
  const behind = args.slice(cut + 1)
  // `--via -- COMMAND` reads well, and says no more than `-- COMMAND`.
  const own = args.slice(0, args[cut - 1] === '--via' && behind.length > 0 ? cut - 1 : cut)
  const { values, positionals } = parse(own)
  const [command, ...operands] = positionals
  const tooMany = operands.slice(OPERANDS[command ?? ''] ?? 0)
  if (tooMany.length > 0)
    throw new UsageError(`"${tooMany.join(' ')}" is one word too many behind "${command}"`)
  if (behind.length > 0 && command !== 'gateway' && command !== 'rehearse') {
    throw new UsageError(`"-- ${behind.join(' ')}" means nothing to ${command ?? 'understudy'}`)
  }

  const find = (name: OptionName): string | undefined => {
    const option: Option = OPTIONS[name]
    const given = values[name]
    const last = Array.isArray(given) ? given.at(-1) : given
    if (typeof last === 'string') return last
    return env[variableOf(name)] ?? option.fallback
  }
  return {
    command,
    operands,
    behind,
    text: find,
    texts(name) {
      const given = values[name]
      if (Array.isArray(given)) return given.map(String)
      const option: Option = OPTIONS[name]
      return env[variableOf(name)]?.split(option.separator ?? ',') ?? []
    },
    flag: name => values[name] === true || ['1', 'true'].includes(env[variableOf(name)] ?? ''),
    has: name => values[name] !== undefined || env[variableOf(name)] !== undefined,
  }
}

/** `UNDERSTUDY_SAFEBOT_PORT` of `safebot-port`. */
export function variableOf(name: OptionName): string {
  return `UNDERSTUDY_${name.replaceAll('-', '_').toUpperCase()}`
}

/**
 * A port number.
 *
 * @throws UsageError
 */
export function readPort(given: Given, name: OptionName): number {
  const text = given.text(name) ?? ''
  const port = Number(text)
  if (/^\d+$/.test(text) && port <= 65_535) return port
  throw new UsageError(
    `--${name} is ${JSON.stringify(text)}`,
    'a port is a number from 0 to 65535; 0 picks a free one',
  )
}

/**
 * One of several words.
 *
 * @throws UsageError
 */
export function readChoice<Word extends string>(
  given: Given,
  name: OptionName,
  words: readonly Word[],
): Word {
  const text = given.text(name)
  const word = words.find(known => known === text)
  if (word !== undefined) return word
  throw new UsageError(`--${name} is ${JSON.stringify(text)}`, `it is one of ${words.join(', ')}`)
}

/**
 * The base URL of a service, without the slash at its end; undefined if there is none.
 *
 * @param text what the option says
 * @param name how it is called in an error
 * @throws UsageError for what is no http or https URL, or has more in it than where the service is
 */
export function readBaseUrl(text: string | undefined, name = '--connect'): string | undefined {
  if (text === undefined) return undefined
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url !== undefined && /^https?:$/.test(url.protocol) && !/[?#]/.test(text) && !text.includes('@')) {
    return url.href.replace(/\/+$/, '')
  }
  throw new UsageError(
    `${name} is ${JSON.stringify(text)}`,
    'it is the base of the service, with no query in it and no password: http://127.0.0.1:4801, say',
  )
}

/**
 * Turns down options that mean nothing beside what the command is to do.
 *
 * @param beside what that is, e.g. `up`
 * @throws UsageError that names the first of them
 */
export function refuseOptions(given: Given, names: readonly OptionName[], beside: string): void {
  const name = names.find(given.has)
  if (name !== undefined) throw new UsageError(`--${name} means nothing with ${beside}`, 'leave one out')
}

function parse(args: string[]) {
  const options: NonNullable<ParseArgsConfig['options']> = {}
  for (const [name, option] of Object.entries<Option>(OPTIONS)) {
    options[name] = {
      type: option.value === undefined ? 'boolean' : 'string',
      multiple: option.multiple ?? false,
    }
  }
  try {
    return parseArgs({ args, options, allowPositionals: true, strict: true })
  } catch (error) {
    // Node's own sentence, without its advice on passing the word as a positional.
    const [sentence = ''] = (error instanceof Error ? error.message : String(error)).split(/\.\s/)
    throw new UsageError(sentence)
  }
}
