import { connect } from './connect.js'
import { job } from './job.js'

/**
 * A worker in a process of its own: claims a task, says so, and works on it until it is killed, still connected.
 * It goes with the demo if that goes first.
 */
process.once('disconnect', () => process.exit(1))
process.once('message', message => void work(message))

async function work(message: unknown): Promise<void> {
  const { reach, room } = job.parse(message)
  const client = await connect(reach)
  const result = await client.callTool({ name: 'claim_task', arguments: { url: room, timeout_seconds: 1 } })
  process.send?.(result)
}
