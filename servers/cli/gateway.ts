import { Clock } from '../../shared/clock/clock.js'
import { readClockSpec } from '../../shared/clock/spec.js'
import { IdSource } from '../../shared/ids.js'
import { defined } from '../../shared/util/objects.js'
import { readGrantsFile } from '../gateway/grants.js'
import { createGateway, type Gateway, type GatewayOptions } from '../gateway/index.js'
import type { ParsedArgs } from './commands.js'
import { stderrLog } from './instance-options.js'
import { address, shutdownSignal } from './serve.js'
import { UsageError } from './usage-error.js'

type Args = ParsedArgs<'gateway'>

/**
 * Runs `understudy gateway POLICY` until a shutdown signal, until the client on stdio closes its end, or
 * until the upstream program ends.
 *
 * @returns the exit code. It is that of the upstream program if the program has ended by itself.
 * @throws UsageError, Refusal
 */
export async function gateway(args: Args): Promise<number> {
  const { options } = args
  const { port } = options
  const clock = new Clock(readClockSpec(options.clock ?? 'real'))
  const shutdown = shutdownSignal()
  const running = await createGateway({
    ...(await optionsOf(args)),
    ...address(options),
    ...(port === undefined ? { http: false } : { port }),
    clock,
  })
  try {
    const stopped = shutdown.then(() => 0)
    if (port === undefined)
      return await Promise.race([stopped, running.ended, serveStdioClient(running, options.grant)])
    process.stdout.write(options.json ? readyLine(running) : readyText(running))
    return await Promise.race([stopped, running.ended])
  } finally {
    await running.close()
    clock.close()
  }
}

/** Serves the client on stdio. Resolves with exit code 0 when the client has closed its end. */
function serveStdioClient(running: Gateway, grant: string | undefined): Promise<number> {
  return new Promise(resolve => {
    const { stdin: input, stdout: output } = process
    running.serveStdio({ input, output, grant, onEnd: () => resolve(0) })
  })
}

async function optionsOf(args: Args): Promise<GatewayOptions> {
  const { options, operand: policy } = args
  const { grants: grantsFile, audit: auditFile } = options
  if (policy === undefined && grantsFile === undefined) {
    throw new UsageError('gateway has no policy', 'name one: understudy gateway policy.json --upstream URL')
  }
  return {
    upstream: upstreamOf(args),
    ...defined({
      policy,
      grants: grantsFile === undefined ? undefined : await readGrantsFile(grantsFile),
      auditFile,
      approvalPort: options['approval-port'],
      dialect: options.dialect,
    }),
    upstreamHeaders: options['upstream-header'],
    passHeaders: options['pass-header'],
    handle: options.handle,
    denialText: options['denial-text'],
    approvalHoldMs: options['approval-hold'],
    ids: new IdSource(options.seed),
    log: stderrLog(),
  }
}

function upstreamOf({ options, program: words }: Args): GatewayOptions['upstream'] {
  const { upstream: url } = options
  const [program, ...args] = words
  if (url !== undefined && program !== undefined) {
    throw new UsageError('the gateway has two upstreams', 'give --upstream URL or -- COMMAND, not both')
  }
  if (program !== undefined) return { command: [program, ...args] }
  if (url === undefined) {
    throw new UsageError('the gateway has no upstream', 'give --upstream URL, or -- COMMAND to start one')
  }
  return url
}

function readyLine({ url, approvalsUrl: approvals }: Gateway): string {
  return `${JSON.stringify({ ready: true, gateway: { mcp: url, ...defined({ approvals }) } })}\n`
}

function readyText({ url, approvalsUrl }: Gateway): string {
  return approvalsUrl === undefined ? `${url}\n` : `${url}\napprovals at ${approvalsUrl}\n`
}
