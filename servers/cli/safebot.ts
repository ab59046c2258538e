import { homedir } from 'node:os'
import { join } from 'node:path'
import { defined } from '../../shared/util/objects.js'
import { Safebot, type SafebotOptions } from '../safebot/index.js'
import { createInstance } from '../understudy/instance.js'
import { type ParsedArgs, refuseOptions } from './commands.js'
import { instanceOptions, worldOption } from './instance-options.js'
import { readBaseUrl } from './options.js'
import { address, runHttp, runStdio, withInstance } from './serve.js'
import { UsageError } from './usage-error.js'

type Args = ParsedArgs<'safebot'>

/**
 * Runs `understudy safebot`: serves Safebot on stdio until the client closes its end, or over HTTP with
 * `--http` until a shutdown signal.
 *
 * @throws UsageError, Refusal
 */
export async function safebot({ options, given }: Args): Promise<void> {
  const { http: port } = options
  const common = instanceOptions(options)
  const bases = readBases(options)
  if (bases.connect !== undefined) refuseOptions(given, ['world', 'store'], 'with a running service')
  const { contract, protocol } = common
  const safebotOptions = { contract, ...defined({ protocol }), world: await worldOption(options), ...bases }
  const instance = await createInstance(common)
  await withInstance(instance, async () => {
    if (port !== undefined) {
      const { safebot, url } = await Safebot.listen(instance, { ...address(options), port }, safebotOptions)
      await runHttp(safebot, url)
      return
    }
    const safebot = await Safebot.create(instance, safebotOptions)
    const identity = {
      handle: process.env.SAFEBOT_MCP_HANDLE,
      label: process.env.SAFEBOT_MCP_ROOM_NAME,
      // The folder of the real client. So the agent has the same identity when the client of a service
      // restarts.
      ...defined({ folder: 'connect' in safebotOptions ? join(homedir(), '.config', 'safebot') : undefined }),
    }
    await runStdio(safebot, onEnd => safebot.serveStdio(process.stdin, process.stdout, identity, onEnd))
  })
}

/**
 * Reads the origins of services from `--connect` and from the environment of the real client: the running
 * service to use, or the origin of new rooms, and the further services that a room URL may name.
 *
 * The real client reads its service from `SAFEBOT_BASE`. On stdio, an http: URL in it means a running
 * stand-in, which this process then uses. An https: URL means a public service, and this process stands in
 * for it. `--connect` replaces `SAFEBOT_BASE`.
 *
 * @throws UsageError for a URL that cannot be used
 */
function readBases({
  connect,
  http,
}: Args['options']): Pick<SafebotOptions, 'base' | 'connect' | 'allowedBases'> {
  const { SAFEBOT_BASE, SAFEBOT_MCP_ALLOWED_BASES = '' } = process.env
  const allowedBases = SAFEBOT_MCP_ALLOWED_BASES.split(',').filter(origin => URL.canParse(origin))
  if (connect !== undefined) return { connect: readOrigin(connect, '--connect'), allowedBases }
  if (!SAFEBOT_BASE) return { allowedBases }
  const base = readOrigin(SAFEBOT_BASE, 'SAFEBOT_BASE')
  const runs = base.startsWith('http:') && http === undefined
  return { ...(runs ? { connect: base } : { base }), allowedBases }
}

/**
 * Reads the origin of a service.
 *
 * @throws UsageError for a URL with a path, because a room URL consists of the origin and the room
 * @throws UsageError for any other text
 */
function readOrigin(text: string, name: string): string {
  const base = readBaseUrl(text, name)
  if (new URL(base).pathname === '/') return base
  throw new UsageError(`${name} is ${JSON.stringify(text)}`, `leave the path out: ${new URL(base).origin}`)
}
