// A program: Safebot on stdio as the command has it, whose every call meets the fault given as JSON.
import { readArgs } from '../../../dist/servers/cli/command-line.js'
import { instanceOptions } from '../../../dist/servers/cli/instance-options.js'
import { runStdio, within } from '../../../dist/servers/cli/serve.js'
import { Safebot } from '../../../dist/servers/safebot/index.js'
import { createInstance } from '../../../dist/servers/understudy/instance.js'

const [action = '{}', ...args] = process.argv.slice(2)
const instance = await createInstance(instanceOptions(readArgs('safebot', args).options))
await within(instance, async () => {
  const safebot = await Safebot.create(instance)
  instance.faults.set([{ server: 'safebot', tool: '*', when: { always: true }, do: JSON.parse(action) }])
  await runStdio(safebot, onEnd => safebot.serveStdio(process.stdin, process.stdout, {}, onEnd))
})
process.exit(0)
