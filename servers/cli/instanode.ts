import type { Instance } from '../../shared/instance.js'
import { defined } from '../../shared/util/defined.js'
import type { RemoteOptions } from '../instanode/client/index.js'
import { checkBesideStore } from '../instanode/databases/open-databases.js'
import { Instanode, type InstanodeOptions } from '../instanode/index.js'
import { createInstance } from '../understudy/instance.js'
import { type ParsedArgs, refuseOptions } from './commands.js'
import { databaseOptions, instanceOptions, worldOption } from './instance-options.js'
import { readBaseUrl } from './options.js'
import { address, runHttp, runStdio, withInstance } from './serve.js'

type Args = ParsedArgs<'instanode'>

/** `understudy instanode`: serves stdio until the client closes its end. With `--http`, serves HTTP. */
export async function instanode(args: Args): Promise<void> {
  const { options: given } = args
  const { http: port } = given
  const common = instanceOptions(given)
  const { contract, protocol } = common
  const base = serviceElsewhere(args)
  if (base === undefined) {
    const world = await worldOption(given)
    const options = { contract, ...defined({ protocol }), world, ...databaseOptions(given) }
    await checkBesideStore({ ...options, ...defined({ store: common.store }) })
    const instance = await createInstance(common)
    await withInstance(instance, () => runHere(given, instance, port, options))
  } else {
    const instance = await createInstance(common)
    await withInstance(instance, () =>
      runAsClient(given, instance, port, { base, contract, ...defined({ protocol }) }),
    )
  }
}

/**
 * Returns the URL of the service that this process uses as a client. Undefined if this process is the service
 * itself. The variable of the real client counts only on stdio, because an HTTP server may have it for its
 * own clients.
 */
function serviceElsewhere({ options, given }: Args): string | undefined {
  const { connect, http } = options
  const source = connect === undefined ? 'INSTANODE_API_URL' : '--connect'
  const url = connect ?? (http === undefined ? process.env.INSTANODE_API_URL : undefined)
  const base = url ? readBaseUrl(url, source) : undefined
  if (base !== undefined) refuseOptions(given, ['databases', 'data-dir', 'world', 'store'], source)
  return base
}

async function runHere(
  given: Args['options'],
  instance: Instance,
  port: number | undefined,
  options: InstanodeOptions,
): Promise<void> {
  const mcp = port !== undefined
  // On stdio, only the pipe serves MCP. The receivers still need an HTTP port.
  const listen = { ...address(given), port: port ?? 0, mcp }
  const { instanode, url } = await Instanode.listen(instance, listen, options)
  if (mcp) await runHttp(instanode, url)
  else await runPipe(instanode)
}

async function runAsClient(
  given: Args['options'],
  instance: Instance,
  port: number | undefined,
  options: RemoteOptions,
): Promise<void> {
  const { RemoteInstanode } = await import('../instanode/client/index.js')
  const instanode = await RemoteInstanode.create(instance, options)
  if (port === undefined) await runPipe(instanode)
  else await runHttp(instanode, await instanode.listen({ ...address(given), port }))
}

function runPipe(server: Pick<Instanode, 'serveStdio' | 'close'>): Promise<void> {
  const identity = { token: process.env.INSTANODE_TOKEN }
  return runStdio(server, onEnd => server.serveStdio(process.stdin, process.stdout, identity, onEnd))
}
