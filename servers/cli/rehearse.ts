import { writeFileSync } from 'node:fs'
import { Refusal } from '../../shared/errors.js'
import { defined } from '../../shared/util/defined.js'
import { exitSignal } from '../../shared/util/exit-signals.js'
import {
  command,
  junitXml,
  type Rehearsal,
  type RehearseOptions,
  rehearse as rehearsal,
  reportText,
  url,
} from '../rehearsal/index.js'
import type { ParsedArgs } from './commands.js'
import { UsageError } from './usage-error.js'

type Args = ParsedArgs<'rehearse'>

/** Errors that a better command line would mend. */
const USAGE = ['which_server', 'one_url', 'no_command']

/**
 * `understudy rehearse POLICY…`: carries policies out, one after another, and prints what got through.
 *
 * @returns the exit code: 1 if the gateway does not do what a policy says, a rehearsal ended early or nothing could be
 *   told, with `--strict` also if something could not be checked; 129, 130 or 143 if SIGHUP, SIGINT or SIGTERM ended it,
 *   once everything that it had started is gone
 * @throws UsageError for a command line that is wrong; Refusal for the first policy that cannot be rehearsed
 */
export async function rehearse(args: Args): Promise<number> {
  const { json, junit, strict } = args.options
  const all = optionsOf(args)
  const exit = exitSignal()
  const results: Rehearsal[] = []
  try {
    for (const options of all) {
      const result = await carriedOut({ ...options, signal: exit.signal })
      results.push(result)
      if (!json) await print(`${results.length > 1 ? '\n' : ''}${reportText(result)}`)
    }
  } catch (error) {
    // A signal from the terminal also ends a gateway that was started, and its error may come first.
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

/** Prints a text whole: the command exits when it has run, and a pipe takes a large report in pieces. */
async function print(text: string): Promise<void> {
  await new Promise<void>(resolve => process.stdout.write(text, () => resolve()))
}

async function carriedOut(options: RehearseOptions): Promise<Rehearsal> {
  try {
    return await rehearsal(options)
  } catch (error) {
    if (error instanceof Refusal && USAGE.includes(error.code)) throw new UsageError(error.reason, error.hint)
    throw error
  }
}

/** @throws Refusal `unwritable_report` */
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
  if (policies.length === 0) {
    throw new UsageError('rehearse has no policy', 'name one: understudy rehearse policy.json')
  }
  if (policies.length > 1 && args.program.length === 0 && options.via !== 'builtin') {
    throw new UsageError(
      `--via is ${JSON.stringify(options.via)} beside ${policies.length} policies`,
      'a gateway that runs enforces one policy: name that one, or have the gateway started with -- COMMAND {policy}',
    )
  }
  const { scenario, server, watch: watchMs, 'wait-windows': waitWindowsMs, timeout: timeoutMs } = options
  const common = defined({ scenario, server, watchMs, waitWindowsMs, timeoutMs })
  return policies.map(policy => ({ policy, ...common, ...wayOf(args, policy) }))
}

/** A gateway that runs already has to find the stand-ins, so they listen where they always do. */
function wayOf(
  { options, given, program: template }: Args,
  policyFile: string,
): Pick<RehearseOptions, 'via' | 'ports'> {
  const { via, bearer: bearers } = options
  if (template.length > 0) {
    if (given.has('via') && via !== 'stdio') {
      throw new UsageError(
        `--via is ${JSON.stringify(via)} beside a command`,
        'leave it out; stdio is for one that speaks on its pipes',
      )
    }
    return { via: command({ template, policyFile, bearers, pipes: via === 'stdio' }) }
  }
  if (via === 'builtin') {
    if (bearers.length > 0)
      throw new UsageError('--bearer means nothing to the builtin gateway', 'leave it out')
    return {}
  }
  if (URL.canParse(via) && /^https?:$/.test(new URL(via).protocol)) {
    const ports = { instanode: options['instanode-port'], safebot: options['safebot-port'] }
    return { via: url(via, bearers), ports }
  }
  throw new UsageError(
    `--via is ${JSON.stringify(via)}`,
    'it is builtin, the URL of a gateway that runs, or -- and a command that starts one',
  )
}
