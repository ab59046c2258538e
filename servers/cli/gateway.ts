import { Clock } from '../../shared/clock/clock.js'
import { readClockSpec } from '../../shared/clock/spec.js'
import { IdSource } from '../../shared/ids.js'
import { defined } from '../../shared/util/defined.js'
import { readGrantsFile } from '../gateway/grants.js'
import { createGateway, type Gateway, type GatewayOptions } from '../gateway/index.js'
import { HANDLE_POLICIES } from '../gateway/options.js'
import { readHeaderLine, readUpstreamUrl } from '../gateway/upstream-options.js'
import { readApprovalHold } from './gateway-options.js'
import { stderrLog } from './instance-options.js'
import { asUsage, type Given, readChoice, readPort, UsageError } from './options.js'
import { address, untilTold } from './serve.js'

/**
 * `understudy gateway POLICY`: until told to stop, until its client on stdio leaves, or until the program behind it ends.
 *
 * @returns the exit code: that of the program behind it, if it ended by itself
 */
export async function gateway(given: Given): Promise<number> {
  const port = given.has('port') ? readPort(given, 'port') : undefined
  const clock = new Clock(asUsage(() => readClockSpec(given.text('clock') ?? 'real')))
  const told = untilTold()
  const running = await createGateway({
    ...(await optionsOf(given)),
    ...address(given),
    ...(port === undefined ? { http: false } : { port }),
    clock,
  })
  try {
    const stopped = told.then(() => 0)
    if (port === undefined)
      return await Promise.race([stopped, running.ended, untilClientLeaves(running, given)])
    process.stdout.write(given.flag('json') ? readyLine(running) : readyText(running))
    return await Promise.race([stopped, running.ended])
  } finally {
    await running.close()
    clock.close()
  }
}

function untilClientLeaves(running: Gateway, given: Given): Promise<number> {
  const grant = given.text('grant')
  return new Promise(resolve => {
    const { stdin: input, stdout: output } = process
    running.serveStdio({ input, output, grant, onEnd: () => resolve(0) })
  })
}

async function optionsOf(given: Given): Promise<GatewayOptions> {
  const [policy] = given.operands
  const grantsFile = given.text('grants')
  if (policy === undefined && grantsFile === undefined) {
    throw new UsageError('gateway has no policy', 'name one: understudy gateway policy.json --upstream URL')
  }
  const seed = given.text('seed')
  const auditFile = given.text('audit')
  const upstreamHeaders = given.texts('upstream-header')
  asUsage(() => upstreamHeaders.map(readHeaderLine))
  return {
    upstream: upstreamOf(given),
    ...defined({
      policy,
      grants: grantsFile === undefined ? undefined : await readGrantsFile(grantsFile),
    }),
    upstreamHeaders,
    passHeaders: given.texts('pass-header'),
    handle: readChoice(given, 'handle', HANDLE_POLICIES),
    approvalHoldMs: readApprovalHold(given),
    ...defined({
      approvalPort: given.has('approval-port') ? readPort(given, 'approval-port') : undefined,
      auditFile,
    }),
    ids: new IdSource(seed),
    log: stderrLog(),
  }
}

function upstreamOf({ text, behind }: Given): GatewayOptions['upstream'] {
  const url = text('upstream')
  const [program, ...args] = behind
  if (url !== undefined && program !== undefined) {
    throw new UsageError('the gateway has two upstreams', 'give --upstream URL or -- COMMAND, not both')
  }
  if (program !== undefined) return { command: [program, ...args] }
  if (url === undefined) {
    throw new UsageError('the gateway has no upstream', 'give --upstream URL, or -- COMMAND to start one')
  }
  asUsage(() => readUpstreamUrl(url))
  return url
}

function readyLine({ url, approvalsUrl: approvals }: Gateway): string {
  return `${JSON.stringify({ ready: true, gateway: { mcp: url, ...defined({ approvals }) } })}\n`
}

function readyText({ url, approvalsUrl }: Gateway): string {
  return approvalsUrl === undefined ? `${url}\n` : `${url}\napprovals at ${approvalsUrl}\n`
}
