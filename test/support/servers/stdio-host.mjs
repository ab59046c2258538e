// A program: a server on stdio as the command runs it, with faults and overlays that are set before its first request.
// Arguments: instanode or safebot, {"faults": […], "overlays": […]} as JSON, then options of the command.
import { readArgs } from '../../../dist/servers/cli/command-line.js'
import { instanceOptions } from '../../../dist/servers/cli/instance-options.js'
import { runStdio, withInstance } from '../../../dist/servers/cli/serve.js'
import { Instanode } from '../../../dist/servers/instanode/index.js'
import { Safebot } from '../../../dist/servers/safebot/index.js'
import { createInstance } from '../../../dist/servers/understudy/instance.js'

const [name, settings = '{}', ...args] = process.argv.slice(2)
const { faults = [], overlays = [] } = JSON.parse(settings)
const instance = await createInstance(instanceOptions(readArgs(name, args).options))
await withInstance(instance, async () => {
  const server =
    name === 'safebot'
      ? await Safebot.create(instance)
      : (await Instanode.listen(instance, { host: '127.0.0.1', port: 0, mcp: false }, {})).instanode
  instance.faults.set(faults)
  instance.catalogue.set(overlays)
  await runStdio(server, onEnd => server.serveStdio(process.stdin, process.stdout, {}, onEnd))
})
process.exit(0)
