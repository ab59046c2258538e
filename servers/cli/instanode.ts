import { createInstance } from '../../shared/instance.js'
import { Instanode } from '../instanode/index.js'
import { databaseOptions } from './database-options.js'
import { instanceOptions } from './instance-options.js'
import { type Given, readPort } from './options.js'
import { untilTold } from './until-told.js'

/** `understudy instanode`: on stdio, until the client closes its end; or over HTTP with `--http`. */
export async function instanode(given: Given): Promise<void> {
  const common = instanceOptions(given)
  const options = { contract: common.contract, ...databaseOptions(given) }
  const overHttp = given.text('http') !== undefined
  const listen = {
    host: given.text('host') ?? '127.0.0.1',
    // On stdio MCP is the pipe's alone, but receivers need a port to be reached at.
    port: overHttp ? readPort(given, 'http') : 0,
    mcp: overHttp,
    allowedHosts: given.texts('allow-host'),
  }
  const instance = await createInstance(common)
  try {
    const { instanode, url } = await Instanode.listen(instance, listen, options)
    const told = untilTold()
    if (overHttp) {
      process.stdout.write(`${url}/mcp\n`)
      await told
      await instanode.close()
    } else await serveStdio(instanode, told)
  } finally {
    await instance.close()
  }
}

async function serveStdio(instanode: Instanode, told: Promise<void>): Promise<void> {
  const identity = { token: process.env.INSTANODE_TOKEN }
  let conversation: ReturnType<Instanode['serveStdio']> | undefined
  const ended = new Promise<void>(resolve => {
    conversation = instanode.serveStdio(process.stdin, process.stdout, identity, resolve)
  })
  await Promise.race([ended, told])
  await instanode.close()
  await conversation?.flush()
}
