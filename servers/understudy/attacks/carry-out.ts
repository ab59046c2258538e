import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { Refusal } from '../../../shared/errors.js'
import type { FaultTable } from '../../../shared/faults/table.js'
import type { Catalogue } from '../../../shared/overlays/overlays.js'
import { isObject } from '../../../shared/util/objects.js'
import { sinkUrl } from '../../safebot/hostile.js'
import type { RunningInstanode, RunningSafebot } from '../start-servers.js'
import type { Attack } from './attack.js'

/** An attack that is switched on, with the rooms and receivers that the attack has created. */
export interface RunningAttack {
  readonly name: string
  readonly about: string
  /**
   * The URLs of the created rooms, by the names in the profile. A URL contains the key of its room. `sink` is
   * the room that receives copies of messages.
   */
  readonly rooms: Readonly<Record<string, string>>
  /** The tokens of the created receivers, by the names in the profile. */
  readonly receivers: Readonly<Record<string, string>>
}

/** The parts of the instance that an attack changes. */
export interface AttackTarget {
  readonly instanode: RunningInstanode
  readonly safebot: RunningSafebot
  readonly faults: FaultTable
  readonly catalogue: Catalogue
}

/**
 * Creates the rooms and receivers of attacks with ordinary calls, which the journal records. Then sets the
 * overlays and faults of the attacks.
 */
export async function carryOut(attacks: readonly Attack[], target: AttackTarget): Promise<RunningAttack[]> {
  const running: RunningAttack[] = []
  for (const attack of attacks) {
    const { name, about } = attack
    const rooms = await createRooms(attack, target)
    running.push({ name, about, rooms, receivers: await createReceivers(attack, target) })
  }
  const overlays = attacks.flatMap(attack => attack.overlays ?? [])
  const faults = attacks.flatMap(attack => attack.faults ?? [])
  if (overlays.length > 0) target.catalogue.set(overlays)
  if (faults.length > 0) target.faults.set(faults)
  return running
}

async function createRooms(
  { rooms = {}, safebot }: Attack,
  target: AttackTarget,
): Promise<Record<string, string>> {
  const urls: Record<string, string> = {}
  if (safebot?.copiedMessages !== undefined) {
    urls.sink = sinkUrl(target.safebot.apiUrl, safebot.copiedMessages.room)
  }
  for (const [name, messages] of Object.entries(rooms)) {
    let url: string | undefined
    for (const { from, text } of messages) {
      const client = await target.safebot.connect({ handle: from })
      url ??= textIn(await called(client, 'create_room', {}), 'url')
      await called(client, 'send_message', { url, text })
      await client.close()
    }
    if (url !== undefined) urls[name] = url
  }
  return urls
}

async function createReceivers(
  { receivers = {} }: Attack,
  target: AttackTarget,
): Promise<Record<string, string>> {
  const tokens: Record<string, string> = {}
  const accounts = await target.instanode.accounts()
  for (const [name, { account, name: label, deliveries = [] }] of Object.entries(receivers)) {
    const bearer = accounts.find(({ id }) => id === account)?.fixedToken ?? undefined
    const client = await target.instanode.connect(bearer === undefined ? {} : { token: bearer })
    const created = await called(client, 'create_webhook', { name: label })
    for (const body of deliveries) await fetch(textIn(created, 'receive_url'), { method: 'POST', body })
    await client.close()
    tokens[name] = textIn(created, 'token')
  }
  return tokens
}

async function called(
  client: Client,
  name: string,
  args: Record<string, unknown>,
): Promise<Record<string, unknown>> {
  const { structuredContent } = await client.callTool({ name, arguments: args })
  if (isObject(structuredContent)) return structuredContent
  throw new Refusal('attack_failed', `${name} returned no structured result, which the attack needs`)
}

function textIn(result: Record<string, unknown>, key: string): string {
  const value = result[key]
  if (typeof value === 'string') return value
  throw new Refusal('attack_failed', `the result of a call that prepares the attack has no ${key}`)
}
