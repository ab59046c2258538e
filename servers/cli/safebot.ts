import { createInstance } from '../../shared/instance.js'
import { Safebot } from '../safebot/index.js'
import { instanceOptions } from './instance-options.js'
import { type Given, readPort } from './options.js'
import { untilTold } from './until-told.js'

/** `understudy safebot`: on stdio, until the client closes its end; or over HTTP with `--http`. */
export async function safebot(given: Given): Promise<void> {
  const options = instanceOptions(given)
  const { contract } = options
  const instance = await createInstance(options)
  const told = untilTold()
  if (given.text('http') !== undefined) {
    const listen = {
      host: given.text('host') ?? '127.0.0.1',
      port: readPort(given, 'http'),
      allowedHosts: given.texts('allow-host'),
    }
    const { safebot, url } = await Safebot.listen(instance, listen, { contract, ...bases() })
    process.stdout.write(`${url}/mcp\n`)
    await told
    await safebot.close()
  } else {
    const safebot = await Safebot.create(instance, { contract, ...bases() })
    const identity = { handle: process.env.SAFEBOT_MCP_HANDLE, label: process.env.SAFEBOT_MCP_ROOM_NAME }
    let conversation: ReturnType<Safebot['serveStdio']> | undefined
    const ended = new Promise<void>(resolve => {
      conversation = safebot.serveStdio(process.stdin, process.stdout, identity, resolve)
    })
    await Promise.race([ended, told])
    await safebot.close()
    await conversation?.flush()
  }
  await instance.close()
}

/** The environment of the real client: its service, and which others a room URL may name. */
function bases(): { base?: string; allowedBases: string[] } {
  const { SAFEBOT_BASE, SAFEBOT_MCP_ALLOWED_BASES = '' } = process.env
  const allowedBases = SAFEBOT_MCP_ALLOWED_BASES.split(',').filter(origin => URL.canParse(origin))
  return { ...(SAFEBOT_BASE && { base: SAFEBOT_BASE }), allowedBases }
}
