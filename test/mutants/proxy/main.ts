import { parseArgs } from 'node:util'
import { createEngine, readPolicyFile } from '#built/servers/gateway/policy/index.js'
import { Clock } from '#built/shared/clock/clock.js'
import { GATEWAYS } from '../gateways/index.js'
import { ChildUpstream } from './child-upstream.js'
import { HttpFront } from './http-front.js'
import { PolicyGateway } from './policy-gateway.js'
import { SessionUpstream, serveStdio } from './stdio-front.js'

/**
 * A program: the gateway by itself.
 *
 * `main.js --policy FILE --upstream URL --port N` listens. Without `--port` it speaks on its pipes, and a command after `--`
 * can stand in place of `--upstream`. `--grant TOKEN` names a caller, `--credential VALUE` is the upstream's `Authorization`
 * header. `--broken NAME` switches one mutant on.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    policy: { type: 'string', default: '' },
    upstream: { type: 'string' },
    port: { type: 'string' },
    grant: { type: 'string', multiple: true, default: [] },
    credential: { type: 'string' },
    broken: { type: 'string' },
  },
})
const { policy: file, upstream, port, grant: tokens, credential, broken } = values
const { policy } = await readPolicyFile(file)
const clock = new Clock()
const mutant = GATEWAYS.find(({ name }) => name === broken)
if (broken !== undefined && mutant === undefined) throw new Error(`unknown mutant ${JSON.stringify(broken)}`)
const gateway = new PolicyGateway(createEngine(policy, clock), mutant?.hooks({ clock, policy }))

if (port !== undefined && upstream !== undefined) {
  const grants = new Map(tokens.map(token => [token, token]))
  const front = await HttpFront.open({ gateway, upstream, grants, credential, port: Number(port) })
  process.stdout.write(`listening on ${front.url}\n`)
  process.once('SIGTERM', () => void front.close().then(() => process.exit(0)))
} else {
  const [program, ...args] = positionals
  if (upstream === undefined && program === undefined)
    throw new Error('give --upstream URL, or a command after --')
  const server =
    upstream === undefined ? new ChildUpstream(program ?? '', args) : new SessionUpstream(upstream)
  await serveStdio({ gateway, upstream: server, credential, input: process.stdin, output: process.stdout })
  clock.close()
}
