import { connectClient } from './agents.js'

/**
 * The program of a worker. Claims a task, sends the result to the process of the demo, and stays connected
 * until the worker is killed. If the demo exits, the worker exits.
 */
const [gateway = '', handle = '', room = ''] = process.argv.slice(2)
process.once('disconnect', () => process.exit(1))
const client = await connectClient(gateway, { 'X-Safebot-Handle': handle })
process.send?.(await client.callTool({ name: 'claim_task', arguments: { url: room, timeout_seconds: 1 } }))
