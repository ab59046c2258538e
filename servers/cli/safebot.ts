import { homedir } from 'node:os'
import { join } from 'node:path'
import { defined } from '../../shared/util/defined.js'
import { Safebot, type SafebotOptions } from '../safebot/index.js'
import { createInstance } from '../understudy/instance.js'
import { type ParsedArgs, refuseOptions } from './commands.js'
import { instanceOptions, worldOption } from './instance-options.js'
import { readBaseUrl } from './options.js'
import { address, runHttp, runStdio, withInstance } from './serve.js'
import { UsageError } from './usage-error.js'

type Args = ParsedArgs<'safebot'>

/** `understudy safebot`: serves stdio until the client closes its end. With `--http`, serves HTTP. */
export async function safebot({ options: given, given: set }: Args): Promise<void> {
  const { http: port } = given
  const common = instanceOptions(given)
  const where = bases(given)
  if (where.connect !== undefined) refuseOptions(set, ['world', 'store'], 'a service that runs elsewhere')
  const { contract, protocol } = common
  const options = { contract, ...defined({ protocol }), world: await worldOption(given), ...where }
  const instance = await createInstance(common)
  await withInstance(instance, async () => {
    if (port !== undefined) {
      const { safebot, url } = await Safebot.listen(instance, { ...address(given), port }, options)
      await runHttp(safebot, url)
      return
    }
    const safebot = await Safebot.create(instance, options)
    const identity = {
      handle: process.env.SAFEBOT_MCP_HANDLE,
      label: process.env.SAFEBOT_MCP_ROOM_NAME,
      // The folder of the real client, so that a restarted client of a service is the same agent.
      ...defined({ folder: 'connect' in options ? join(homedir(), '.config', 'safebot') : undefined }),
    }
    await runStdio(safebot, onEnd => safebot.serveStdio(process.stdin, process.stdout, identity, onEnd))
  })
}

/**
 * Returns the service that has the rooms, from `--connect` and the environment of the real client. Also
 * returns the other services that a room URL may name.
 *
 * `SAFEBOT_BASE` is the service of the real client. On stdio, an http: URL means a running stand-in, and this
 * process connects to it. An https: URL means a public service, and this process is a stand-in for it unless
 * `--connect` is given.
 *
 * @throws UsageError for a URL that cannot be used
 */
function bases({
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
 * Reads a base URL without a path.
 *
 * @throws UsageError for any other text, because room URLs cannot contain a base path
 */
function readOrigin(text: string, name: string): string {
  const base = readBaseUrl(text, name)
  if (new URL(base).pathname === '/') return base
  throw new UsageError(
    `${name} is ${JSON.stringify(text)}`,
    `a room's URL has no place for a path; leave it at ${new URL(base).origin}`,
  )
}
