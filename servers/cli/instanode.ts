import type { Instance } from '../../shared/instance.js'
import { defined } from '../../shared/util/objects.js'
import type { RemoteOptions } from '../instanode/client/index.js'
import { checkBesideStore } from '../instanode/databases/open-databases.js'
import { Instanode, type InstanodeOptions } from '../instanode/index.js'
import { createInstance } from '../understudy/instance.js'
import { type ParsedArgs, refuseOptions } from './commands.js'
import { databaseOptions, instanceOptions, worldOption } from './instance-options.js'
import { readBaseUrl } from './options.js'
import { address, runHttp, runStdio, withInstance } from './serve.js'

type Args = ParsedArgs<'instanode'>

/**
 * Runs `understudy instanode`: serves Instanode on stdio until the client closes its end, or over HTTP with
 * `--http` until a shutdown signal.
 *
 * @throws UsageError, Refusal
 */
export async function instanode(args: Args): Promise<void> {
  const { options } = args
  const { http: port } = options
  const common = instanceOptions(options)
  const { contract, protocol } = common
  const base = remoteServiceUrl(args)
  if (base === undefined) {
    const world = await worldOption(options)
    const serverOptions = { contract, ...defined({ protocol }), world, ...databaseOptions(options) }
    await checkBesideStore({ ...serverOptions, ...defined({ store: common.store }) })
    const instance = await createInstance(common)
    await withInstance(instance, () => runServer(options, instance, port, serverOptions))
  } else {
    const instance = await createInstance(common)
    await withInstance(instance, () =>
      runAsClient(options, instance, port, { base, contract, ...defined({ protocol }) }),
    )
  }
}

/**
 * Returns the URL of the running service that this process is to use. Undefined: this process is the service
 * itself.
 *
 * The real client reads the URL from `INSTANODE_API_URL`. This variable counts only on stdio. In the
 * environment of an HTTP server, it may be meant for the clients of that server.
 */
function remoteServiceUrl({ options, given }: Args): string | undefined {
  const { connect, http } = options
  const source = connect === undefined ? 'INSTANODE_API_URL' : '--connect'
  const url = connect ?? (http === undefined ? process.env.INSTANODE_API_URL : undefined)
  const base = url ? readBaseUrl(url, source) : undefined
  if (base !== undefined) refuseOptions(given, ['databases', 'data-dir', 'world', 'store'], `with ${source}`)
  return base
}

async function runServer(
  listenOptions: Args['options'],
  instance: Instance,
  port: number | undefined,
  options: InstanodeOptions,
): Promise<void> {
  const mcp = port !== undefined
  // On stdio, the HTTP port serves only the receivers, and not MCP.
  const listen = { ...address(listenOptions), port: port ?? 0, mcp }
  const { instanode, url } = await Instanode.listen(instance, listen, options)
  if (mcp) await runHttp(instanode, url)
  else await runOnStdio(instanode)
}

async function runAsClient(
  listenOptions: Args['options'],
  instance: Instance,
  port: number | undefined,
  options: RemoteOptions,
): Promise<void> {
  const { RemoteInstanode } = await import('../instanode/client/index.js')
  const instanode = await RemoteInstanode.create(instance, options)
  if (port === undefined) await runOnStdio(instanode)
  else await runHttp(instanode, await instanode.listen({ ...address(listenOptions), port }))
}

function runOnStdio(server: Pick<Instanode, 'serveStdio' | 'close'>): Promise<void> {
  const identity = { token: process.env.INSTANODE_TOKEN }
  return runStdio(server, onEnd => server.serveStdio(process.stdin, process.stdout, identity, onEnd))
}
