import { Refusal } from '../../shared/errors.js'
import { defined } from '../../shared/util/defined.js'
import { exitSignal } from '../../shared/util/exit-signals.js'
import {
  command,
  type Rehearsal,
  type RehearseOptions,
  rehearse as rehearsal,
  reportText,
  url,
} from '../rehearsal/index.js'
import type { ParsedArgs } from './commands.js'
import { UsageError } from './usage-error.js'

type Args = ParsedArgs<'rehearse'>

/** What of it a better command line would mend. */
const USAGE = ['which_server', 'one_url', 'no_command']

/**
 * `understudy rehearse POLICY`: carries a policy out, and prints what got through.
 *
 * @returns the exit code: 1 if the gateway does not do what the policy says, or nothing could be told; 129, 130 or 143 if
 *   SIGHUP, SIGINT or SIGTERM ended it, once what it had started is gone
 */
export async function rehearse(args: Args): Promise<number> {
  const options = optionsOf(args)
  const exit = exitSignal()
  let result: Rehearsal
  try {
    result = await carriedOut({ ...options, signal: exit.signal })
  } catch (error) {
    // A signal from the terminal also ends a gateway that was started, and its error may come first.
    if (exit.exitCode === undefined) throw error
    process.stderr.write(`understudy: the rehearsal was ${exit.signal.reason.message}\n`)
    return exit.exitCode
  }
  process.stdout.write(args.options.json ? `${JSON.stringify(result)}\n` : reportText(result))
  return result.ok ? 0 : 1
}

async function carriedOut(options: RehearseOptions): Promise<Rehearsal> {
  try {
    return await rehearsal(options)
  } catch (error) {
    if (error instanceof Refusal && USAGE.includes(error.code)) throw new UsageError(error.reason, error.hint)
    throw error
  }
}

function optionsOf(args: Args): RehearseOptions {
  const { operand: policy } = args
  if (policy === undefined) {
    throw new UsageError('rehearse has no policy', 'name one: understudy rehearse policy.json')
  }
  const { scenario, server } = args.options
  return { policy, ...defined({ scenario, server }), ...wayOf(args, policy) }
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
