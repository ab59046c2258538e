import { readClockSpec } from '../../shared/clock/spec.js'
import { CONTRACT_NAMES } from '../../shared/contract.js'
import { readRevisions } from '../../shared/mcp/revisions.js'
import { closestName } from '../../shared/util/closest-name.js'
import { APPROVAL_TTL_MS, DENIAL_TEXTS, HANDLE_POLICIES } from '../gateway/options.js'
import { DIALECT_VERSIONS } from '../gateway/policy/dialect-version.js'
import { readHeaderLine, readUpstreamUrl } from '../gateway/upstream-options.js'
import { checkSource } from '../instanode/databases/open-databases.js'
import { UsageError } from './usage-error.js'

/** The definition of an option. The parser, the help and the table in the documentation are made from it. */
export interface Option {
  /** Placeholder of the value in the help. An option without it is a switch. */
  argument?: string
  /** Whether the option may be repeated. */
  multiple?: true
  /** Separator of the values in the environment variable of a repeated option. Default: a comma. */
  separator?: string
  /** Text of the value if the option is not given. */
  default?: string
  /** Describes the default for the help, if it is not a fixed value. */
  otherwise?: string
  help: string
  /**
   * Converts the text of a value. Default: the value is the text itself.
   *
   * @param source the name of the option in errors, e.g. `--port` or `UNDERSTUDY_PORT`
   * @throws Refusal for an invalid text
   */
  read?(text: string, source: string): unknown
}

/** The options by name. The environment variable `UNDERSTUDY_<NAME>` also sets an option. */
export const OPTIONS = {
  host: { argument: 'ADDRESS', default: '127.0.0.1', help: 'address on which every server listens' },
  'allow-host': {
    argument: 'NAME',
    multiple: true,
    help: 'accepts requests with this Host header, too; may be repeated',
  },
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
    help: 'serves HTTP on this port instead of stdio; 0 picks a free one',
  },
  policy: {
    argument: '[SERVER=]FILE',
    multiple: true,
    help: 'starts a gateway that enforces this policy in front of instanode or safebot; may be repeated',
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
    help: 'real: follows the machine; manual: moves only on request; manual@2026-01-01T00:00:00Z',
  },
  seed: {
    argument: 'TEXT',
    otherwise: 'random',
    help: 'seed of every id, token and key: the same seed gives the same values',
  },
  contract: {
    argument: 'NAME',
    default: 'documented',
    read: oneOf(CONTRACT_NAMES),
    help: 'documented: the published behaviour; observed: the behaviour of the running services',
  },
  protocol: {
    argument: 'REVISIONS',
    otherwise: 'all, or 2025-03-26 for rehearse',
    read: checkedBy(readRevisions),
    help:
      'MCP revisions that the servers accept, separated by commas: 2026-07-28, 2025-11-25 and earlier ' +
      'ones; for rehearse, the single revision of its calls',
  },
  world: {
    argument: 'WORLD',
    default: 'default',
    help: 'state at the start: default, empty, busy, multi-tenant, near-limits, or a JSON or YAML file',
  },
  databases: {
    argument: 'SOURCE',
    otherwise: 'embedded, or the PostgreSQL server of --store',
    read: checkedBy(checkSource),
    help: 'embedded; or the postgres:// URL of a server, with the credentials of an administrator',
  },
  store: {
    argument: 'STORE',
    default: 'memory',
    help: 'memory; or a postgres:// URL: all stand-ins with the same URL share their state',
  },
  'data-dir': {
    argument: 'DIR',
    otherwise: 'a temporary directory, which is removed at the end',
    help: 'directory that stores the embedded databases; their URLs stay valid after a restart',
  },
  journal: { argument: 'FILE', help: 'appends the journal to this file, one JSON object a line' },
  'journal-sync': {
    help: 'writes each call to the file of --journal, and flushes the file, before the call is answered',
  },
  connect: {
    argument: 'URL',
    read: checkedBy(readBaseUrl),
    help: 'uses the running stand-in at this URL, or another service with the same HTTP API',
  },
  stamp: { help: 'adds headers with the instance and the journal entry to HTTP answers' },
  attack: {
    argument: 'NAME',
    multiple: true,
    help: 'turns on an attack profile: a name from fixtures/attacks; may be repeated',
  },
  upstream: {
    argument: 'URL',
    read: checkedBy(readUpstreamUrl),
    help: 'MCP endpoint behind the gateway; -- COMMAND starts a server instead',
  },
  port: {
    argument: 'PORT',
    read: readPort,
    help: 'port of the gateway, which then serves HTTP instead of stdio; 0 picks a free one',
  },
  'upstream-header': {
    argument: 'NAME: VALUE',
    multiple: true,
    separator: '\n',
    read: checkedBy(readHeaderLine),
    help: 'adds a header to each request to the upstream, e.g. a credential; may be repeated',
  },
  'pass-header': {
    argument: 'NAME',
    multiple: true,
    help: 'passes a further header of callers on to the upstream; may be repeated',
  },
  handle: {
    argument: 'WAY',
    default: 'pass',
    read: oneOf(HANDLE_POLICIES),
    help:
      'handle that the upstream gets for a caller of Safebot; pass: the handle that the caller names; ' +
      'drop: none; grant: the label of its grant',
  },
  'denial-text': {
    argument: 'NAME',
    default: 'understudy',
    read: oneOf(DENIAL_TEXTS),
    help: 'wording of denials: understudy; or that of a product: intercept, policylayer',
  },
  dialect: {
    argument: 'NAME',
    otherwise: 'the newest',
    read: oneOf(DIALECT_VERSIONS),
    help: `version of Intercept's policy language: ${DIALECT_VERSIONS.join(', ')}`,
  },
  grants: { argument: 'FILE', help: 'file with the callers, each with a bearer token and a policy' },
  grant: { argument: 'LABEL', help: 'label of the grant for the client on stdio' },
  'approval-hold': {
    argument: 'SECONDS',
    default: '0',
    read: readApprovalHold,
    help: 'time that a call waits for its approval; 0 refuses the call at once',
  },
  'approval-port': {
    argument: 'PORT',
    read: readPort,
    help:
      'port of the API that decides approvals: GET /approvals, POST /approvals/ID; agents must not have ' +
      'access to it',
  },
  audit: {
    argument: 'FILE',
    help: 'appends the decision about each call to this file, one JSON object a line',
  },
  via: {
    argument: 'GATEWAY',
    default: 'builtin',
    help:
      'gateway under test: builtin; or the URL of a running gateway; -- COMMAND starts a gateway, and ' +
      '--via stdio -- COMMAND starts one that serves MCP on stdio',
  },
  scenario: {
    argument: 'FILE',
    otherwise: 'calls that are made from the policy',
    help: 'file with the calls to make; without a policy, it also has the expected outcome of each call',
  },
  tools: {
    argument: 'PATTERN',
    otherwise: 'the tool names of the stand-ins',
    help:
      'pattern of the names that the gateway gives to tools; may contain {tool}, {tool-kebab} and {server}, ' +
      'e.g. inst-{tool-kebab}',
  },
  attach: {
    help:
      'starts the stand-ins and waits until you have started the gateway of --via; Enter or POST ' +
      '/rehearsal/start then starts the rehearsal',
  },
  server: {
    argument: 'NAME',
    otherwise: 'the servers whose tools the policy names',
    read: oneOf(['instanode', 'safebot', 'both']),
    help: 'stand-ins to start: instanode, safebot or both',
  },
  bearer: {
    argument: 'TOKEN',
    multiple: true,
    help: 'bearer token of a caller that the gateway knows; not for the builtin gateway; may be repeated',
  },
  watch: {
    argument: 'SECONDS',
    otherwise: '5, and 0 for the builtin gateway',
    read: readDuration,
    help: 'how long the stand-ins wait, after the last call, for calls that the gateway forwards late',
  },
  'wait-windows': {
    argument: 'TIME',
    otherwise: 'no wait',
    read: readDuration,
    help: 'maximum wait for the end of a window, for a gateway that has its own clock, e.g. 70s',
  },
  timeout: {
    argument: 'TIME',
    default: '10m',
    read: readDuration,
    help:
      'maximum duration of a rehearsal, e.g. 90s or 10m; the report then lists the calls that were not ' +
      'made',
  },
  junit: { argument: 'FILE', help: 'also writes the report to this file as JUnit XML, for a CI server' },
  fast: { help: 'makes no pauses, and exits after the last scene with code 0, or 1 if a check has failed' },
  json: { help: 'prints JSON instead of text' },
  strict: { help: 'exits with code 1 also after a warning, or if a call could not be checked' },
} as const satisfies Record<string, Option>

export type OptionName = keyof typeof OPTIONS

export const OPTION_NAMES = Object.keys(OPTIONS).filter((name): name is OptionName => name in OPTIONS)

type Read<Definition> = Definition extends { read: (...given: never[]) => infer Value } ? Value : string

type ValueOf<Definition> = Definition extends { argument: string }
  ? Definition extends { multiple: true }
    ? Read<Definition>[]
    : Read<Definition> | (Definition extends { default: string } ? never : undefined)
  : boolean

/**
 * The values of some options. If an option has no value and no default, its value is undefined, or an empty
 * list if it can be repeated.
 */
export type Values<Name extends OptionName> = { [Key in Name]: ValueOf<(typeof OPTIONS)[Key]> }

/** Returns the environment variable of an option, e.g. `UNDERSTUDY_SAFEBOT_PORT` for `safebot-port`. */
export function variableOf(name: string): string {
  return `UNDERSTUDY_${name.replaceAll('-', '_').toUpperCase()}`
}

/**
 * Reads the base URL of a service.
 *
 * @returns the URL without a slash at its end
 * @throws UsageError for a text that is not an http or https URL, and for a URL with a query, a fragment or a
 *   password
 */
export function readBaseUrl(text: string, source = '--connect'): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url !== undefined && /^https?:$/.test(url.protocol) && !/[?#]/.test(text) && !text.includes('@')) {
    return url.href.replace(/\/+$/, '')
  }
  throw new UsageError(
    `${source} is ${JSON.stringify(text)}`,
    'use the base URL of the service without a query and a password, e.g. http://127.0.0.1:4801',
  )
}

function readPort(text: string, source: string): number {
  return readWholeNumber(text, source, { max: 65_535, hint: ', and 0 picks a free port' })
}

/** Reads a number of whole seconds. Returns milliseconds. */
function readApprovalHold(text: string, source: string): number {
  const max = APPROVAL_TTL_MS / 1000
  return (
    readWholeNumber(text, source, {
      max,
      hint: ' whole seconds, because an approval expires after that time',
    }) * 1000
  )
}

const SECONDS = { ms: 0.001, s: 1, m: 60, h: 3600 } as const

/** Reads a duration. A number without a unit means seconds. Returns milliseconds. */
function readDuration(text: string, source: string): number {
  const [, digits, unit = 's'] = /^(\d{1,9})(ms|s|m|h)?$/.exec(text) ?? []
  if (digits !== undefined && (unit === 'ms' || unit === 's' || unit === 'm' || unit === 'h')) {
    return Math.round(Number(digits) * SECONDS[unit] * 1000)
  }
  throw new UsageError(
    `${source} is ${JSON.stringify(text)}`,
    'use a number of seconds, or a number with the unit ms, s, m or h, e.g. 90s',
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
    const all = `use one of ${words.join(', ')}`
    throw new UsageError(
      `${source} is ${JSON.stringify(text)}`,
      near === undefined ? all : `did you mean ${near}? ${all}`,
    )
  }
}

/** Converts a check to a reader that returns the text unchanged. The reader throws the error of the check. */
function checkedBy(check: (text: string, source: string) => unknown) {
  return (text: string, source: string): string => {
    check(text, source)
    return text
  }
}
