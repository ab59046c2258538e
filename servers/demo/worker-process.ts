import { connectClient } from './agents.js'

/**
 * The program of a worker: claims a task, sends the result to its parent, and stays connected until it is
 * killed. It exits when the demo exits.
 */
const [gateway = '', handle = '', room = ''] = process.argv.slice(2)
process.once('disconnect', () => process.exit(1))
const client = await connectClient(gateway, { 'X-Safebot-Handle': handle })
process.send?.(await client.callTool({ name: 'claim_task', arguments: { url: room, timeout_seconds: 1 } }))
