import { createInstance } from '../../shared/instance.js'
import { Instanode } from '../instanode/index.js'
import { databaseOptions } from './database-options.js'
import { instanceOptions } from './instance-options.js'
import { type Given, readPort } from './options.js'
import { address, runHttp, runStdio, within } from './serve.js'

/** `understudy instanode`: on stdio, until the client closes its end; or over HTTP with `--http`. */
export async function instanode(given: Given): Promise<void> {
  const common = instanceOptions(given)
  const options = { contract: common.contract, ...databaseOptions(given) }
  const mcp = given.text('http') !== undefined
  // On stdio MCP is the pipe's alone, but receivers need a port to be reached at.
  const listen = { ...address(given), port: mcp ? readPort(given, 'http') : 0, mcp }
  const instance = await createInstance(common)
  await within(instance, async () => {
    const { instanode, url } = await Instanode.listen(instance, listen, options)
    if (mcp) {
      await runHttp(instanode, url)
      return
    }
    const identity = { token: process.env.INSTANODE_TOKEN }
    await runStdio(instanode, onEnd => instanode.serveStdio(process.stdin, process.stdout, identity, onEnd))
  })
}
