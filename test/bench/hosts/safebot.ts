import { Safebot } from '#built/servers/safebot/index.js'
import { createInstance } from '#built/servers/understudy/instance.js'

/** A program: Safebot over HTTP as the command has it, its journal `on` or `off`; prints the URL of its MCP endpoint. */
const instance = await createInstance({ journal: process.argv[2] !== 'off' })
const { url } = await Safebot.listen(instance)
process.stdout.write(`${url}/mcp\n`)
