import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { z } from 'zod'
import { Refusal } from '../../shared/errors.js'
import { faultSchema } from '../../shared/faults/fault.js'
import type { FaultTable } from '../../shared/faults/table.js'
import { overlaySchema } from '../../shared/overlays/overlay.js'
import type { Catalogue } from '../../shared/overlays/overlays.js'
import { checked, strict } from '../../shared/util/check.js'
import { fixture } from '../../shared/util/compiled.js'
import type { Log } from '../../shared/util/log.js'
import { isObject } from '../../shared/util/objects.js'
import { readRegularFile } from '../../shared/util/read-file.js'
import { shown } from '../../shared/util/shown.js'
import type { InstanodeHostility } from '../instanode/hostile.js'
import { type SafebotHostility, sinkUrl } from '../safebot/hostile.js'
import type { RunningInstanode, RunningSafebot } from './start-servers.js'

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

/** The options that attacks give to the servers, and a function to call after the servers have started. */
export interface HostileOptions {
  readonly instanode: InstanodeHostility
  readonly safebot: SafebotHostility
  carryOut(target: AttackTarget): Promise<RunningAttack[]>
}

/**
 * Prepares attacks, and logs a warning for each attack. If two attacks set the same option of a server, the
 * later attack wins.
 *
 * @param names names of profiles in fixtures/attacks
 * @throws Refusal `unknown_attack`, `bad_attack`
 */
export async function prepare(names: readonly string[], log: Log | undefined): Promise<HostileOptions> {
  const attacks = await readAttacks(names)
  for (const { name, about } of attacks) log?.warn(`HOSTILE: the attack ${name} is on. ${about}`)
  return {
    instanode: Object.assign({}, ...attacks.map(({ instanode }) => instanode)),
    safebot: Object.assign({}, ...attacks.map(({ safebot }) => safebot)),
    carryOut: target => carryOut(attacks, target),
  }
}

const FIXTURES = fixture('attacks')

const name = z.string().regex(/^[a-z0-9-]+$/, { error: 'a name of small letters, digits and dashes' })

/**
 * The schema of an attack profile. A profile describes hostile content that the stand-ins show.
 *
 * Attacks are harmless. Their instructions tell an agent to send data to `.invalid` names or to a room of
 * this process. All secrets are invented.
 */
const attackSchema = strict({
  name,
  about: z.string().describe('one sentence for the operator'),
  overlays: z.array(overlaySchema).exactOptional(),
  faults: z.array(faultSchema).exactOptional(),
  rooms: z
    .record(name, z.array(strict({ from: z.string(), text: z.string() })).min(1))
    .exactOptional()
    .describe('rooms with messages from strangers. The key is a name for the room'),
  receivers: z
    .record(
      name,
      strict({
        account: z.string().describe('the id of the account that owns the receiver'),
        name: z.string(),
        deliveries: z.array(z.string()).exactOptional().describe('bodies of requests from strangers'),
      }),
    )
    .exactOptional(),
  instanode: strict({
    sharesLists: z.literal(true).exactOptional(),
    tokenIssuer: z.string().exactOptional(),
  }).exactOptional(),
  safebot: strict({
    copiedMessages: strict({
      room: z.string().regex(/^[A-Za-z0-9_-]{4,64}$/),
      after: z.int().min(0),
    }).exactOptional(),
  }).exactOptional(),
})

type Attack = z.output<typeof attackSchema>

/** Returns the names of all attack profiles. */
export async function attackNames(): Promise<string[]> {
  const files = await readdir(FIXTURES)
  return files.flatMap(file => (file.endsWith('.json') ? [file.slice(0, -'.json'.length)] : [])).sort()
}

/**
 * Reads attack profiles by their names.
 *
 * @throws Refusal `unknown_attack` with the known names, or `bad_attack` with each wrong field
 */
export async function readAttacks(names: readonly string[]): Promise<Attack[]> {
  const known = await attackNames()
  return Promise.all(
    names.map(async name => {
      if (known.includes(name)) {
        const text = readRegularFile(join(FIXTURES, `${name}.json`)).toString('utf8')
        return checked(attackSchema, JSON.parse(text), 'bad_attack', `attack ${name}`)
      }
      const hint = `there are ${known.join(', ')}`
      throw new Refusal('unknown_attack', `there is no attack ${shown(name)}`, hint)
    }),
  )
}
