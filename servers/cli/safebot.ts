import { createInstance } from '../../shared/instance.js'
import { Safebot } from '../safebot/index.js'
import { instanceOptions } from './instance-options.js'
import { type Given, readPort } from './options.js'
import { address, runHttp, runStdio, within } from './serve.js'
import { worldOption } from './world-option.js'

/** `understudy safebot`: on stdio, until the client closes its end; or over HTTP with `--http`. */
export async function safebot(given: Given): Promise<void> {
  const common = instanceOptions(given)
  const options = { contract: common.contract, world: await worldOption(given), ...bases() }
  const port = given.text('http') === undefined ? undefined : readPort(given, 'http')
  const instance = await createInstance(common)
  await within(instance, async () => {
    if (port !== undefined) {
      const { safebot, url } = await Safebot.listen(instance, { ...address(given), port }, options)
      await runHttp(safebot, url)
      return
    }
    const safebot = await Safebot.create(instance, options)
    const identity = { handle: process.env.SAFEBOT_MCP_HANDLE, label: process.env.SAFEBOT_MCP_ROOM_NAME }
    await runStdio(safebot, onEnd => safebot.serveStdio(process.stdin, process.stdout, identity, onEnd))
  })
}

/** The environment of the real client: its service, and which others a room URL may name. */
function bases(): { base?: string; allowedBases: string[] } {
  const { SAFEBOT_BASE, SAFEBOT_MCP_ALLOWED_BASES = '' } = process.env
  const allowedBases = SAFEBOT_MCP_ALLOWED_BASES.split(',').filter(origin => URL.canParse(origin))
  return { ...(SAFEBOT_BASE && { base: SAFEBOT_BASE }), allowedBases }
}
