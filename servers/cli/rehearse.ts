import { writeFileSync } from 'node:fs'
import { Refusal } from '../../shared/errors.js'
import { defined } from '../../shared/util/defined.js'
import { exitSignal } from '../../shared/util/exit-signals.js'
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

/** Codes of errors that the user can avoid with another command line. */
const USAGE = [
  'which_server',
  'one_url',
  'no_command',
  'no_policy',
  'no_gateway',
  'bad_tools',
  'no_such_tools',
]

/**
 * `understudy rehearse POLICY…` and `understudy rehearse --scenario FILE`: rehearses one policy after
 * another, or a scenario without a policy, and prints the reports.
 *
 * @returns the exit code. It is 1 if something is wrong, a rehearsal ended early or nothing was checked. With
 *   `--strict` it is
 *   also 1 if something was not checked. It is 129, 130 or 143 if SIGHUP, SIGINT or SIGTERM ended the
 *   rehearsal, after all its processes have ended
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
      const result = await rehearsed({ ...options, signal: exit.signal })
      results.push(result)
      if (!json) await print(`${results.length > 1 ? '\n' : ''}${reportText(result)}`)
    }
  } catch (error) {
    // A signal from the terminal also ends the gateway process, and the resulting error may come first.
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
 * Prints a text, and resolves when all of it is written. Otherwise the command may exit before a pipe has the
 * whole report.
 */
async function print(text: string): Promise<void> {
  await new Promise<void>(resolve => process.stdout.write(text, () => resolve()))
}

async function rehearsed(options: RehearseOptions): Promise<Rehearsal> {
  try {
    return await rehearsal(options)
  } catch (error) {
    if (error instanceof Refusal && USAGE.includes(error.code)) throw new UsageError(error.reason, error.hint)
    throw error
  }
}

/** Writes the report to a file. @throws Refusal `unwritable_report` */
function writeReport(file: string, text: string): void {
  try {
    writeFileSync(file, text)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new Refusal(
      'unwritable_report',
      `the report ${JSON.stringify(file)} cannot be written (${why})`,
      'name a file in a folder that exists',
    )
  }
}

function optionsOf(args: Args): RehearseOptions[] {
  const { operands: policies, options } = args
  if (policies.length === 0 && options.scenario === undefined) {
    throw new UsageError(
      'rehearse has no policy',
      'name one: understudy rehearse policy.json; or a scenario and the gateway that it is for: --scenario FILE --via URL',
    )
  }
  if (policies.length > 1 && args.program.length === 0 && options.via !== 'builtin') {
    throw new UsageError(
      `--via is ${JSON.stringify(options.via)} beside ${policies.length} policies`,
      'a gateway that runs enforces one policy: name that one, or have the gateway started with -- COMMAND {policy}',
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
    throw new UsageError(`--protocol is ${JSON.stringify(protocol)}`, 'callers speak one revision: name that')
  }
  const common = defined({ scenario, dialect, server, tools, protocol, watchMs, waitWindowsMs, timeoutMs })
  if (policies.length === 0) return [{ ...common, ...wayOf(args) }]
  return policies.map(policy => ({ policy, ...common, ...wayOf(args, policy) }))
}

/**
 * Returns the options for the gateway under test. If the gateway already runs, the stand-ins listen on their
 * usual ports, because the gateway has to know their addresses.
 */
function wayOf(
  { options, given, program: template }: Args,
  policyFile?: string,
): Pick<RehearseOptions, 'via' | 'ports' | 'attach'> {
  const { via, bearer: bearers, attach } = options
  if (attach && (template.length > 0 || via === 'builtin')) {
    const what = template.length > 0 ? 'a command' : 'the builtin gateway'
    throw new UsageError(
      `--attach means nothing with ${what}`,
      'it is for a gateway that you start yourself: name its URL with --via, and leave the command out',
    )
  }
  if (template.length > 0) {
    if (given.has('via') && via !== 'stdio') {
      throw new UsageError(
        `--via is ${JSON.stringify(via)} beside a command`,
        'leave it out; stdio is for one that speaks on its pipes',
      )
    }
    if (policyFile === undefined && template.some(word => word.includes('{policy}'))) {
      throw new UsageError('{policy} in the command has no value', 'name a policy, or leave {policy} out')
    }
    return { via: command({ template, bearers, pipes: via === 'stdio', ...defined({ policyFile }) }) }
  }
  if (via === 'builtin') {
    if (bearers.length > 0)
      throw new UsageError('--bearer means nothing to the builtin gateway', 'leave it out')
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
    'it is builtin, the URL of a gateway that runs, or -- and a command that starts one',
  )
}

/** Returns a text with the addresses of the stand-ins, which explains how to start the rehearsal. */
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

/** Resolves when Enter is pressed, or when the signal is aborted. The end of stdin is not Enter. */
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
