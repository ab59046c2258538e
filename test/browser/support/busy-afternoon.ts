import type { Understudy } from '../../../servers/understudy/index.js'
import { send } from '../../support/clients/raw-http.js'
import type { RecordingDatabases } from '../../support/databases/recording-databases.js'
import { until } from '../../support/until.js'
import { callOverHttp } from './call-over-http.js'

const as = (handle: string) => ({ 'X-Safebot-Handle': handle })

/**
 * Runs two agents, so that the page has everything it can show: calls that succeed, calls that are refused, crashes and redeliveries.
 *
 * @param before called before each call
 */
export async function busyAfternoon(
  u: Understudy,
  databases: RecordingDatabases,
  before: () => void = () => undefined,
): Promise<void> {
  const call: typeof callOverHttp = (...given) => {
    before()
    return callOverHttp(...given)
  }
  await atTheGateway(u, databases, call)
  await inTheRoom(u, call)
}

/** The gateway calls Instanode as a paid account. Calls that bypass the gateway are anonymous. */
async function atTheGateway(
  u: Understudy,
  databases: RecordingDatabases,
  call: typeof callOverHttp,
): Promise<void> {
  const guarded = (tool: string, args: Record<string, unknown> = {}) =>
    call(u.gateways.instanode.url, tool, args)
  const unguarded = (tool: string, args: Record<string, unknown> = {}) => call(u.instanode.mcpUrl, tool, args)
  await guarded('list_resources')
  const orders = await guarded('create_postgres', { name: 'orders' })
  const scratch = await unguarded('create_postgres', { name: 'scratch' })
  await unguarded('create_postgres', { name: 'try-out' })
  await guarded('claim_token', { token: scratch.token })
  await guarded('create_postgres', { name: 'DROP TABLE' })
  await guarded('delete_resource', { token: orders.token })
  const { receive_url } = await unguarded('create_webhook', { name: 'ci' })
  for (const name of ['alerts', 'payments', 'one-too-many']) await guarded('create_webhook', { name })
  await guarded('claim_token', { token: 'nonsense' })
  // The call waits for an approval that never comes.
  guarded('get_api_token').catch(() => undefined)
  await until(() => u.gateways.instanode.approvals.list().length > 0)
  for (const status of ['passed', 'failed']) {
    await send(String(receive_url), { body: { build: 41, status } })
  }
  for (const [at, name] of [...databases.live.keys()].entries())
    databases.sizes.set(name, (at + 1) * 2_900_000)
}

async function inTheRoom({ safebot, clock, faults }: Understudy, callAt: typeof callOverHttp): Promise<void> {
  const call = (handle: string, tool: string, args: Record<string, unknown>) =>
    callAt(safebot.mcpUrl, tool, args, as(handle))
  const { url } = await call('dispatcher', 'create_room', {})
  for (const text of ['build main', 'build release', 'deploy release', 'announce release']) {
    await call('dispatcher', 'send_message', { url, text })
  }
  const claim = async (handle: string) => {
    const { claim_id, task } = await call(handle, 'claim_task', { url, timeout_seconds: 1 })
    return { url, claim_id, seq: Object(task).seq }
  }
  const first = await claim('builder')
  await clock.advance(21_000)
  await call('builder', 'ack_task', first)
  const late = await claim('builder')
  await clock.advance(61_000)
  await call('builder', 'ack_task', late)
  const again = await claim('builder')
  await clock.advance(12_000)
  faults.set([
    { server: 'safebot', tool: 'ack_task', when: { nth: 1 }, do: { drop: 'after' } },
    { server: 'instanode', tool: 'create_postgres', when: { first: 1 }, do: { httpStatus: 503 } },
  ])
  // The answer of the call is lost. Its effect is not.
  await call('builder', 'ack_task', again).catch(() => undefined)
  await claim('reviewer')
  await claim('builder')
  await clock.advance(26_000)
}
