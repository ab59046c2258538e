import { writeFileSync } from 'node:fs'
import { Refusal } from '../../shared/errors.js'
import { exitSignal } from '../../shared/util/exit-signals.js'
import { defined } from '../../shared/util/objects.js'
import {
  ACCOUNT_TOKEN,
  command,
  junitXml,
  type Rehearsal,
  type RehearseOptions,
  rehearse as rehearsal,
  reportText,
  type StandIns,
  url,
} from '../rehearsal/index.js'
import type { ParsedArgs } from './commands.js'
import { UsageError } from './usage-error.js'

type Args = ParsedArgs<'rehearse'>

/** Codes of the refusals that are caused by the command line. */
const USAGE_CODES = [
  'which_server',
  'one_url',
  'no_command',
  'no_policy',
  'no_gateway',
  'bad_tools',
  'no_such_tools',
]

/**
 * Runs `understudy rehearse`: rehearses one policy after another, or a scenario without a policy, and prints
 * the reports.
 *
 * @returns the exit code. 1: a call had another outcome than expected, a rehearsal ended early, or no call
 *   was checked; with `--strict` also if any call was not checked. 129, 130 or 143: SIGHUP, SIGINT or SIGTERM
 *   has ended the rehearsal, and all its processes have ended. Otherwise 0.
 * @throws UsageError for a wrong command line
 * @throws Refusal for the first policy that cannot be rehearsed
 */
export async function rehearse(args: Args): Promise<number> {
  const { json, junit, strict } = args.options
  const all = optionsOf(args)
  const exit = exitSignal()
  const results: Rehearsal[] = []
  try {
    for (const options of all) {
      const result = await rehearseOnce({ ...options, signal: exit.signal })
      results.push(result)
      if (!json) await print(`${results.length > 1 ? '\n' : ''}${reportText(result)}`)
    }
  } catch (error) {
    // A signal from the terminal also ends the gateway process. This error may only be a consequence of the
    // signal.
    if (exit.exitCode === undefined) throw error
    process.stderr.write(`understudy: the rehearsal was ${exit.signal.reason.message}\n`)
    return exit.exitCode
  }
  const [only] = results
  const ok = results.every(result => result.ok && !(strict && result.counts.unchecked > 0))
  if (json) await print(`${JSON.stringify(results.length === 1 ? only : { ok, rehearsals: results })}\n`)
  if (junit !== undefined) writeReport(junit, junitXml(results))
  return ok ? 0 : 1
}

/**
 * Prints a text and resolves when all of it is written. The command could otherwise exit before a pipe has
 * the whole report.
 */
async function print(text: string): Promise<void> {
  await new Promise<void>(resolve => process.stdout.write(text, () => resolve()))
}

async function rehearseOnce(options: RehearseOptions): Promise<Rehearsal> {
  try {
    return await rehearsal(options)
  } catch (error) {
    if (error instanceof Refusal && USAGE_CODES.includes(error.code))
      throw new UsageError(error.reason, error.hint)
    throw error
  }
}

/**
 * Writes the report to a file.
 *
 * @throws Refusal `unwritable_report`
 */
function writeReport(file: string, text: string): void {
  try {
    writeFileSync(file, text)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new Refusal(
      'unwritable_report',
      `cannot write the report ${JSON.stringify(file)} (${why})`,
      'name a file in a folder that exists',
    )
  }
}

function optionsOf(args: Args): RehearseOptions[] {
  const { operands: policies, options } = args
  if (policies.length === 0 && options.scenario === undefined) {
    throw new UsageError(
      'rehearse has no policy',
      'name a policy: understudy rehearse policy.json; ' +
        'or name a scenario and a gateway: --scenario FILE --via URL',
    )
  }
  if (policies.length > 1 && args.program.length === 0 && options.via !== 'builtin') {
    throw new UsageError(
      `--via is ${JSON.stringify(options.via)} with ${policies.length} policies`,
      'a running gateway enforces one policy: name only that policy, ' +
        'or start a gateway for each one with -- COMMAND {policy}',
    )
  }
  const {
    scenario,
    dialect,
    server,
    tools,
    protocol,
    watch: watchMs,
    'wait-windows': waitWindowsMs,
    timeout: timeoutMs,
  } = options
  if (protocol?.includes(',')) {
    throw new UsageError(
      `--protocol is ${JSON.stringify(protocol)}`,
      'the calls of a rehearsal use one revision: name only that one',
    )
  }
  const common = defined({ scenario, dialect, server, tools, protocol, watchMs, waitWindowsMs, timeoutMs })
  if (policies.length === 0) return [{ ...common, ...gatewayOf(args) }]
  return policies.map(policy => ({ policy, ...common, ...gatewayOf(args, policy) }))
}

/**
 * Returns the options of the gateway under test. If the gateway is already running, the stand-ins listen on
 * fixed ports, because the gateway has to know their addresses.
 */
function gatewayOf(
  { options, given, program: template }: Args,
  policyFile?: string,
): Pick<RehearseOptions, 'via' | 'ports' | 'attach'> {
  const { via, bearer: bearers, attach } = options
  if (attach && (template.length > 0 || via === 'builtin')) {
    const what = template.length > 0 ? 'a command' : 'the builtin gateway'
    throw new UsageError(
      `--attach cannot be used with ${what}`,
      'use it with a gateway that you start yourself: name its URL with --via, and leave the command out',
    )
  }
  if (template.length > 0) {
    if (given.has('via') && via !== 'stdio') {
      throw new UsageError(
        `--via is ${JSON.stringify(via)} with a command`,
        'leave --via out; or use --via stdio if the command serves MCP on stdio',
      )
    }
    if (policyFile === undefined && template.some(word => word.includes('{policy}'))) {
      throw new UsageError('{policy} in the command has no value', 'name a policy, or leave {policy} out')
    }
    return { via: command({ template, bearers, pipes: via === 'stdio', ...defined({ policyFile }) }) }
  }
  if (via === 'builtin') {
    if (bearers.length > 0)
      throw new UsageError('--bearer cannot be used with the builtin gateway', 'leave --bearer out')
    return {}
  }
  if (URL.canParse(via) && /^https?:$/.test(new URL(via).protocol)) {
    const ports = { instanode: options['instanode-port'], safebot: options['safebot-port'] }
    if (!attach) return { via: url(via, bearers), ports }
    return {
      via: url(via, bearers),
      ports: { ...ports, control: options['control-port'] },
      attach: (standIns, signal) => {
        process.stderr.write(attachText(standIns, via))
        return enterPressed(signal)
      },
    }
  }
  throw new UsageError(
    `--via is ${JSON.stringify(via)}`,
    'use builtin, or the URL of a running gateway, or -- and a command that starts one',
  )
}

/** Returns a text with the addresses of the stand-ins and the ways to start the rehearsal. */
function attachText({ servers, controlUrl }: StandIns, via: string): string {
  return [
    'understudy: the stand-ins wait for a gateway in front of them.',
    ...servers.map(({ name, mcpUrl }) => {
      const credential = name === 'instanode' ? `   (Authorization: Bearer ${ACCOUNT_TOKEN})` : ''
      return `  ${name.padEnd(9)}  ${mcpUrl}${credential}`
    }),
    `Enter, or POST ${controlUrl}/rehearsal/start, starts the rehearsal through ${via}`,
    '',
  ].join('\n')
}

/**
 * Resolves when the user presses Enter, or when the signal is aborted. The end of stdin does not count as
 * Enter.
 */
function enterPressed(signal: AbortSignal): Promise<void> {
  const { stdin } = process
  return new Promise(resolve => {
    const onData = (chunk: Buffer) => {
      if (chunk.includes('\n')) done()
    }
    const done = () => {
      stdin.off('data', onData)
      stdin.pause()
      signal.removeEventListener('abort', done)
      resolve()
    }
    stdin.on('data', onData)
    signal.addEventListener('abort', done)
  })
}
