import { createInstance } from '../../servers/understudy/instance.js'
import { Listener } from '../../shared/http/listener.js'
import { McpHost } from '../../shared/mcp/host.js'
import { McpEndpoint } from '../../shared/mcp/http/endpoint.js'
import { modernFixture } from './fixture/modern.js'
import { fixtureServer } from './fixture/server.js'

/**
 * A program: the suite's fixture behind this project's own transport, put together as the real servers are.
 * Prints the URL of its MCP endpoint, and serves until it is stopped.
 */
const instance = await createInstance({
  log: {
    warn: (message, cause) => process.stderr.write(`${message}: ${cause}\n`),
    error: (message, cause) => process.stderr.write(`${message}: ${cause}\n`),
  },
})
const host = new McpHost({
  name: 'conformance-fixture',
  instance,
  identify: ({ session }) => session ?? 'sessionless',
  nameOf: caller => caller,
  onError: error => process.stderr.write(`${error}\n`),
})
await host.mount(fixtureServer(), modernFixture(host))
const endpoint = new McpEndpoint({
  host,
  machine: instance.machine,
  ids: instance.ids.stream('sessions'),
  log: instance.log,
})
const listener = await Listener.open({
  host: '127.0.0.1',
  port: 0,
  name: 'fixture',
  handlers: async () => ({ mcp: endpoint }),
})
process.stdout.write(`${listener.url}/mcp\n`)
