import { SERVER_NAMES, type ServerName } from '../../shared/util/known-tools.js'
import { defined } from '../../shared/util/objects.js'
import { type DialectVersion, readPolicyFile } from '../gateway/policy/index.js'
import { serversOf, toolsNamed } from '../gateway/policy/known-tools.js'
import type { GatewaysOptions } from '../understudy/gateways.js'
import type { ParsedArgs } from './commands.js'
import { UsageError } from './usage-error.js'

const PORTS = { instanode: 'gateway-instanode-port', safebot: 'gateway-safebot-port' } as const

/**
 * Returns the options of the gateways that `--policy` requests, by the server that each gateway protects.
 *
 * @throws UsageError for an unknown server, or a policy whose tools do not show its server
 * @throws Refusal for a policy that cannot be read
 */
export async function gatewayOptions({ options }: ParsedArgs<'up'>): Promise<GatewaysOptions> {
  const { dialect } = options
  const files = await policyFiles(options.policy, dialect)
  const gateways: GatewaysOptions = {}
  for (const server of SERVER_NAMES) {
    const policy = files[server]
    if (policy === undefined) continue
    gateways[server] = {
      policy,
      port: options[PORTS[server]],
      approvalHoldMs: options['approval-hold'],
      upstreamHeaders: options['upstream-header'],
      denialText: options['denial-text'],
      ...defined({ dialect }),
    }
  }
  return gateways
}

/**
 * Returns the files of `--policy`, by the server that each policy is for.
 *
 * @throws as {@link gatewayOptions}
 */
export async function policyFiles(
  assignments: readonly string[],
  dialect?: DialectVersion,
): Promise<Partial<Record<ServerName, string>>> {
  const files: Partial<Record<ServerName, string>> = {}
  for (const text of assignments) {
    const { server, policy } = await readAssignment(text, dialect)
    if (files[server] !== undefined) {
      throw new UsageError(`--policy names two policies for ${server}`, 'leave one of them out')
    }
    files[server] = policy
  }
  return files
}

/**
 * Reads a value of `--policy`, such as `instanode=policy.json`. In a value without a server, the tools of the
 * policy determine the server.
 */
async function readAssignment(
  text: string,
  dialect: DialectVersion | undefined,
): Promise<{ server: ServerName; policy: string }> {
  // A path such as `a=b.json` can be written as `./a=b.json`.
  const [, name, file] = /^(\w*)=(.*)$/s.exec(text) ?? []
  const policy = file ?? text
  if (policy === '') throw new UsageError(`--policy is ${JSON.stringify(text)}`, 'name a file')
  if (name === undefined) return { server: await serverOf(policy, dialect), policy }
  const server = SERVER_NAMES.find(known => known === name)
  if (server !== undefined) return { server, policy }
  throw new UsageError(
    `--policy is for ${JSON.stringify(name)}, which is not a server`,
    `use one of ${SERVER_NAMES.join(', ')}`,
  )
}

/**
 * Returns the server whose tools a policy names.
 *
 * @throws UsageError if there is not exactly one
 */
async function serverOf(file: string, dialect: DialectVersion | undefined): Promise<ServerName> {
  const named = toolsNamed((await readPolicyFile(file, dialect)).policy)
  const [server, ...more] = serversOf(named)
  if (server !== undefined && more.length === 0) return server
  const names =
    server !== undefined
      ? `tools of ${[server, ...more].join(' and ')}`
      : named.length === 0
        ? 'no tools'
        : `${named.join(', ')}, of neither server`
  const assignments = SERVER_NAMES.map(known => `--policy ${known}=${file}`)
  throw new UsageError(
    `the policy ${JSON.stringify(file)} names ${names}`,
    `say which server it is for: ${assignments.join(', or ')}; or both`,
  )
}
