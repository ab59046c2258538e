import { readClockSpec } from '../../shared/clock/spec.js'
import { CONTRACT_NAMES } from '../../shared/contract.js'
import { readRevisions } from '../../shared/mcp/revisions.js'
import { closestName } from '../../shared/util/closest-name.js'
import { APPROVAL_TTL_MS, DENIAL_TEXTS, HANDLE_POLICIES } from '../gateway/options.js'
import { DIALECT_VERSIONS } from '../gateway/policy/dialect-version.js'
import { readHeaderLine, readUpstreamUrl } from '../gateway/upstream-options.js'
import { checkSource } from '../instanode/databases/open-databases.js'
import { UsageError } from './usage-error.js'

/** One option of the command. It defines the parser, the help and the row in the documentation. */
export interface Option {
  /** Placeholder of the value. A switch has none. */
  argument?: string
  /** Whether the option may be repeated. */
  multiple?: true
  /** Separates the values of a repeated option in its environment variable. Default: a comma. */
  separator?: string
  /** The value without the option. */
  default?: string
  /** Describes the behaviour without the option, if the default is not one value. */
  otherwise?: string
  help: string
  /**
   * Reads the value from its text. Default: the value is the text.
   *
   * @param source the name of the option in errors, e.g. `--port` or `UNDERSTUDY_PORT`
   * @throws Refusal that names the source or the problem of the text
   */
  read?(text: string, source: string): unknown
}

/** The options by name. `UNDERSTUDY_<NAME>` sets an option, too. */
export const OPTIONS = {
  host: { argument: 'ADDRESS', default: '127.0.0.1', help: 'address of every listener' },
  'allow-host': { argument: 'NAME', multiple: true, help: 'further Host name to accept; may be repeated' },
  'instanode-port': {
    argument: 'PORT',
    default: '4801',
    read: readPort,
    help: 'port of Instanode; 0 picks a free one',
  },
  'safebot-port': {
    argument: 'PORT',
    default: '4802',
    read: readPort,
    help: 'port of Safebot; 0 picks a free one',
  },
  'control-port': {
    argument: 'PORT',
    default: '4800',
    read: readPort,
    help: 'port of the control plane; 0 picks a free one',
  },
  http: {
    argument: 'PORT',
    read: readPort,
    help: 'serve HTTP on this port instead of stdio; 0 picks a free one',
  },
  policy: {
    argument: '[SERVER=]FILE',
    multiple: true,
    help: 'a gateway in front of instanode or safebot that enforces this policy; may be repeated',
  },
  'gateway-instanode-port': {
    argument: 'PORT',
    default: '4803',
    read: readPort,
    help: 'port of the gateway in front of Instanode; 0 picks a free one',
  },
  'gateway-safebot-port': {
    argument: 'PORT',
    default: '4804',
    read: readPort,
    help: 'port of the gateway in front of Safebot; 0 picks a free one',
  },
  clock: {
    argument: 'CLOCK',
    otherwise: 'real, or the clock of the store',
    read: checkedBy(readClockSpec),
    help: 'real, manual, or manual@2026-01-01T00:00:00Z',
  },
  seed: { argument: 'TEXT', otherwise: 'random', help: 'seeds every id, token and key' },
  contract: {
    argument: 'NAME',
    default: 'documented',
    read: oneOf(CONTRACT_NAMES),
    help: 'documented, or observed',
  },
  protocol: {
    argument: 'REVISIONS',
    otherwise: 'all; rehearse: 2025-03-26',
    read: checkedBy(readRevisions),
    help: 'MCP revisions to serve, with commas between them: 2026-07-28, 2025-11-25 and earlier ones; rehearse: the one that callers speak',
  },
  world: {
    argument: 'WORLD',
    default: 'default',
    help: 'starting state: default, empty, busy, multi-tenant, near-limits, or a JSON or YAML file',
  },
  databases: {
    argument: 'SOURCE',
    otherwise: 'embedded, or the server of the store',
    read: checkedBy(checkSource),
    help: 'embedded, or the URL of an administrator of a PostgreSQL server',
  },
  store: {
    argument: 'STORE',
    default: 'memory',
    help: 'memory, or the postgres:// URL of a store that every stand-in shares which names it',
  },
  'data-dir': {
    argument: 'DIR',
    otherwise: 'a temporary one, which is removed',
    help: 'directory that keeps embedded databases: their URLs are good again after a restart',
  },
  journal: { argument: 'FILE', help: 'also append the journal as JSON lines' },
  'journal-sync': { help: 'write a call to the file of --journal, and flush it, before it is answered' },
  connect: {
    argument: 'URL',
    read: checkedBy(readBaseUrl),
    help: 'be a client of a running stand-in, or of a service with its HTTP API',
  },
  stamp: { help: 'name the instance and the journal entry in the headers of HTTP answers' },
  attack: {
    argument: 'NAME',
    multiple: true,
    help: 'turn hostile, in a way of fixtures/attacks; may be repeated',
  },
  upstream: {
    argument: 'URL',
    read: checkedBy(readUpstreamUrl),
    help: 'the MCP endpoint behind the gateway; or -- COMMAND to start a server',
  },
  port: {
    argument: 'PORT',
    read: readPort,
    help: 'serve HTTP on this port instead of stdio; 0 picks a free one',
  },
  'upstream-header': {
    argument: 'NAME: VALUE',
    multiple: true,
    separator: '\n',
    read: checkedBy(readHeaderLine),
    help: 'a header for each request to the upstream, e.g. a credential; may be repeated',
  },
  'pass-header': {
    argument: 'NAME',
    multiple: true,
    help: 'a further header of callers to pass on; may be repeated',
  },
  handle: {
    argument: 'WAY',
    default: 'pass',
    read: oneOf(HANDLE_POLICIES),
    help: 'pass or drop the handle that a caller of Safebot names, or set it to the label of its grant',
  },
  'denial-text': {
    argument: 'NAME',
    default: 'understudy',
    read: oneOf(DENIAL_TEXTS),
    help: 'how denials begin: understudy, or as a product words them: intercept, policylayer',
  },
  dialect: {
    argument: 'NAME',
    otherwise: 'the newest',
    read: oneOf(DIALECT_VERSIONS),
    help: `the published version of Intercept's language by which policies are read: ${DIALECT_VERSIONS.join(', ')}`,
  },
  grants: { argument: 'FILE', help: 'the callers, each with a bearer token and a policy of its own' },
  grant: { argument: 'LABEL', help: 'the grant of the client on stdio' },
  'approval-hold': {
    argument: 'SECONDS',
    default: '0',
    read: readApprovalHold,
    help: 'how long a call waits for its approval; 0 refuses it at once',
  },
  'approval-port': {
    argument: 'PORT',
    read: readPort,
    help: 'port on which approvals are decided: GET /approvals, POST /approvals/ID; not for agents',
  },
  audit: { argument: 'FILE', help: 'append the decision about each call, as JSON lines' },
  via: {
    argument: 'GATEWAY',
    default: 'builtin',
    help: 'builtin, or the URL of a gateway; or -- COMMAND to start one, stdio -- COMMAND for its pipes',
  },
  scenario: {
    argument: 'FILE',
    otherwise: 'everything that the policy names',
    help: 'the calls to make; without a policy it also says what is to become of each',
  },
  tools: {
    argument: 'PATTERN',
    otherwise: 'as the stand-ins name them',
    help: 'the names that the gateway gives to tools, e.g. inst-{tool-kebab}; also {tool} and {server}',
  },
  attach: {
    help: 'wait with the stand-ins at their ports until the gateway of --via runs; Enter or POST /rehearsal/start starts the rehearsal',
  },
  server: {
    argument: 'NAME',
    otherwise: 'by the policy',
    read: oneOf(['instanode', 'safebot', 'both']),
    help: 'instanode, safebot or both',
  },
  bearer: {
    argument: 'TOKEN',
    multiple: true,
    help: 'a bearer token by which a gateway other than the builtin one knows a caller; may be repeated',
  },
  watch: {
    argument: 'SECONDS',
    otherwise: '5, and 0 for the builtin gateway',
    read: readDuration,
    help: 'how long the upstream is watched behind the last call, for calls that a gateway lets on later',
  },
  'wait-windows': {
    argument: 'TIME',
    otherwise: 'not at all',
    read: readDuration,
    help: 'the longest that is waited for a window to turn where a gateway keeps its own time, e.g. 70s',
  },
  timeout: {
    argument: 'TIME',
    default: '10m',
    read: readDuration,
    help: 'when a rehearsal ends and reports what it left out, e.g. 90s or 10m',
  },
  junit: { argument: 'FILE', help: 'also write the report as JUnit XML, for a CI server' },
  fast: { help: 'no pauses, and exit after the last scene: 0, or 1 if a check failed' },
  json: { help: 'machine-readable output' },
  strict: { help: 'exit code 1 also for warnings, and for what could not be checked' },
} as const satisfies Record<string, Option>

export type OptionName = keyof typeof OPTIONS

export const OPTION_NAMES = Object.keys(OPTIONS).filter((name): name is OptionName => name in OPTIONS)

type Read<Definition> = Definition extends { read: (...given: never[]) => infer Value } ? Value : string

type ValueOf<Definition> = Definition extends { argument: string }
  ? Definition extends { multiple: true }
    ? Read<Definition>[]
    : Read<Definition> | (Definition extends { default: string } ? never : undefined)
  : boolean

/** The values of some options. An option without a value and a default is undefined, or an empty list. */
export type Values<Name extends OptionName> = { [Key in Name]: ValueOf<(typeof OPTIONS)[Key]> }

/** Returns the environment variable of an option, e.g. `UNDERSTUDY_SAFEBOT_PORT` for `safebot-port`. */
export function variableOf(name: string): string {
  return `UNDERSTUDY_${name.replaceAll('-', '_').toUpperCase()}`
}

/**
 * Reads the base URL of a service.
 *
 * @returns the URL without the slash at its end
 * @throws UsageError for anything but an http or https URL, or one with a query, a fragment or a password
 */
export function readBaseUrl(text: string, source = '--connect'): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url !== undefined && /^https?:$/.test(url.protocol) && !/[?#]/.test(text) && !text.includes('@')) {
    return url.href.replace(/\/+$/, '')
  }
  throw new UsageError(
    `${source} is ${JSON.stringify(text)}`,
    'it is the base of the service, with no query in it and no password: http://127.0.0.1:4801, say',
  )
}

function readPort(text: string, source: string): number {
  return readWholeNumber(text, source, { max: 65_535, hint: ', and 0 picks a free port' })
}

/** Reads a number of whole seconds. @returns milliseconds */
function readApprovalHold(text: string, source: string): number {
  const max = APPROVAL_TTL_MS / 1000
  return readWholeNumber(text, source, { max, hint: ' in whole seconds: so long an approval lasts' }) * 1000
}

const SECONDS = { ms: 0.001, s: 1, m: 60, h: 3600 } as const

/** Reads a duration. A number without a unit means seconds. @returns milliseconds */
function readDuration(text: string, source: string): number {
  const [, digits, unit = 's'] = /^(\d{1,9})(ms|s|m|h)?$/.exec(text) ?? []
  if (digits !== undefined && (unit === 'ms' || unit === 's' || unit === 'm' || unit === 'h')) {
    return Math.round(Number(digits) * SECONDS[unit] * 1000)
  }
  throw new UsageError(
    `${source} is ${JSON.stringify(text)}`,
    'it is seconds, or a number with ms, s, m or h behind it: 90s',
  )
}

function readWholeNumber(text: string, source: string, { max, hint }: { max: number; hint: string }): number {
  if (/^\d+$/.test(text) && Number(text) <= max) return Number(text)
  throw new UsageError(`${source} is ${JSON.stringify(text)}`, `it must be 0 to ${max}${hint}`)
}

function oneOf<const Word extends string>(words: readonly Word[]) {
  return (text: string, source: string): Word => {
    const word = words.find(known => known === text)
    if (word !== undefined) return word
    const near = closestName(text, words)
    const all = `it is one of ${words.join(', ')}`
    throw new UsageError(
      `${source} is ${JSON.stringify(text)}`,
      near === undefined ? all : `did you mean ${near}? ${all}`,
    )
  }
}

/** Returns a reader that checks a text and returns it unchanged. The reader throws the error of the check. */
function checkedBy(check: (text: string, source: string) => unknown) {
  return (text: string, source: string): string => {
    check(text, source)
    return text
  }
}
