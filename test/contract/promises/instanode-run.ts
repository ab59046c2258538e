import { Instanode } from '../../../servers/instanode/index.js'
import { createInstance } from '../../../servers/understudy/instance.js'
import type { ContractName } from '../../../shared/contract.js'
import type { Instance } from '../../../shared/instance.js'
import { asSchema, type Schema } from '../../fuzz/json-values.js'
import { Dice } from '../../history/dice.js'
import { rpc, send } from '../../support/clients/raw-http.js'
import { RecordingDatabases } from '../../support/databases/recording-databases.js'
import { DAY, databaseOf, FREE, PAID, PAID_2 } from '../../support/servers/instanode.js'
import type { Exchange, Run } from './check.js'
import {
  type Caller,
  type InstanodeAsked,
  isAnonymous,
  type Operation,
  type Resource,
  TICK,
  trimmed,
} from './instanode-request.js'
import { type Answer, field } from './promise.js'
import { EDGES, Requests } from './requests.js'

const BEARERS = { nobody: undefined, invalid: 'forged', free: FREE, paid: PAID, other: PAID_2 } as const
const CALLERS = [
  'nobody',
  'nobody',
  'nobody',
  'nobody',
  'invalid',
  'free',
  'free',
  'paid',
  'paid',
  'paid',
  'other',
] as const
const ADDRESSES = ['203.0.113.1', '203.0.113.77', '203.0.113.254', '198.51.100.1'] as const
const NOBODYS = '00000000-0000-4000-8000-000000000000'
const TOOLS: Partial<Record<Operation, string>> = {
  list: 'list_resources',
  mint: 'get_api_token',
  claim: 'claim_token',
  delete: 'delete_resource',
}
const METHODS: Record<Operation, readonly string[]> = {
  create: ['POST'],
  list: ['GET'],
  mint: ['GET'],
  claim: ['POST'],
  delete: ['DELETE'],
  receive: ['POST', 'POST', 'GET', 'HEAD', 'PUT', 'PATCH', 'DELETE'],
  preview: ['GET'],
  health: ['GET'],
  unknown: ['GET', 'POST', 'PUT'],
}
/** A name stands as often as its operation is to be chosen. */
const OPERATIONS: readonly Operation[] = [
  'create',
  'create',
  'create',
  'create',
  'claim',
  'claim',
  'claim',
  'delete',
  'delete',
  'receive',
  'receive',
  'receive',
  'list',
  'list',
  'list',
  'mint',
  'preview',
  'preview',
  'health',
  'unknown',
]

/** Requests from one address at one instant. */
interface Burst {
  readonly operation: Operation
  readonly callers: readonly Caller[]
  readonly length: number
  /** The token in the path. Default: any. */
  readonly token?: string
}

const LOOK: Burst = { operation: 'preview', callers: ['nobody'], length: 1 }
const TOO_MANY: Burst = { operation: 'health', callers: ['nobody'], length: 22 }
const OVER_CAP: Burst = { operation: 'create', callers: ['nobody', 'nobody', 'nobody', 'free'], length: 14 }

/** By the number of a step, out of a hundred. */
const BURSTS: Partial<Record<number, Burst>> = { 10: TOO_MANY, 11: OVER_CAP, 12: OVER_CAP }

/** An Instanode on a manual clock, and what its answers have told of it. */
export class InstanodeRun implements Run<InstanodeAsked> {
  readonly #resources: Resource[] = []
  readonly #provisions = new Map<string, number>()
  readonly #buckets = new Map<string, { left: number; at: number }>()
  readonly #start: number

  private constructor(
    readonly contract: ContractName,
    readonly instance: Instance,
    readonly server: Instanode,
    readonly url: string,
    readonly databases: RecordingDatabases,
    readonly document: Schema,
    readonly tools: Record<string, unknown>,
  ) {
    this.#start = instance.clock.now()
  }

  static async start(contract: ContractName): Promise<InstanodeRun> {
    const instance = await createInstance({ clock: 'manual', seed: 'promises' })
    const databases = new RecordingDatabases()
    const { instanode, url } = await Instanode.listen(instance, {}, { contract, databases })
    const { json } = await send(`${url}/openapi.json`, {
      method: 'GET',
      headers: { 'x-forwarded-for': '192.0.2.1' },
    })
    const listed = await send(`${url}/mcp`, { body: rpc('tools/list') })
    const tools = field(field(listed.json, 'result'), 'tools')
    const schemas = (Array.isArray(tools) ? tools : []).map(({ name, inputSchema }) => [name, inputSchema])
    return new InstanodeRun(
      contract,
      instance,
      instanode,
      url,
      databases,
      asSchema(json),
      Object.fromEntries(schemas),
    )
  }

  async close(): Promise<void> {
    await this.server.close()
    await this.instance.close()
  }

  /** Makes one step: requests, or a change of the time or of a database. The seed decides everything. */
  async step(seed: string): Promise<Exchange<InstanodeAsked>[]> {
    const dice = new Dice(seed)
    const chance = dice.below(100)
    if (chance < 5) await this.#advance(dice.pick([TICK, TICK, 2 * TICK, DAY / 24, DAY - 1, DAY]))
    else if (chance < 10) return this.#outgrow(dice)
    else {
      const burst = BURSTS[chance]
      const exchanges: Exchange<InstanodeAsked>[] = []
      for (let left = burst?.length ?? 1; left > 0; left--) exchanges.push(await this.#request(dice, burst))
      await this.#advance(1000)
      return exchanges
    }
    return []
  }

  async #advance(ms: number): Promise<void> {
    await this.instance.clock.advance(ms)
  }

  /** Lets a database grow over its quota until a tick, and looks at it. */
  async #outgrow(dice: Dice): Promise<Exchange<InstanodeAsked>[]> {
    const tick = this.#lastTick() + TICK
    const open = this.#resources.filter(
      ({ type, deleted, expiresAt }) => type === 'postgres' && !deleted && (expiresAt ?? tick + 1) > tick,
    )
    if (open.length === 0) return []
    const resource = dice.pick(open)
    this.databases.sizes.set(databaseOf(resource.token), 11 * 1024 * 1024)
    resource.outgrownAt ??= tick
    await this.#advance(TICK)
    return [await this.#request(dice, { ...LOOK, token: resource.token })]
  }

  #lastTick(): number {
    return this.#start + Math.floor((this.#now() - this.#start) / TICK) * TICK
  }

  #now(): number {
    return this.instance.clock.now()
  }

  async #request(dice: Dice, burst?: Burst): Promise<Exchange<InstanodeAsked>> {
    const operation = burst?.operation ?? dice.pick(OPERATIONS)
    const type = dice.percent(50) ? 'postgres' : 'webhook'
    const tool = operation === 'create' ? `create_${type}` : TOOLS[operation]
    const asTool = tool !== undefined && dice.percent(30)
    const caller: Caller = dice.pick(burst?.callers ?? CALLERS)
    const address = burst === undefined ? dice.pick(ADDRESSES) : ADDRESSES[0]
    const method = dice.pick(METHODS[operation])
    const requests = new Requests(dice, this.document, name => this.#valid(dice, name))
    const schema = asTool ? this.tools[tool] : this.#schemaOf(operation, type)
    const body = asTool
      ? JSON.stringify(requests.object(schema))
      : operation === 'receive'
        ? this.#delivery(dice)
        : requests.body(schema)
    const pathText =
      burst?.token ??
      (dice.percent(85) ? String(this.#valid(dice, 'token')) : dice.pick(['abc', '%', '🦊', 'x'.repeat(300)]))
    const inPath = !asTool && ['delete', 'receive', 'preview'].includes(operation)
    const text = inPath ? pathText : textIn(body, operation === 'create' ? 'name' : 'token')
    const asked = this.#asked({ operation, type, caller, address, method, text, tool: asTool, body })
    const answer = asTool
      ? await this.#call(tool, body, caller, address)
      : await this.#send(
          method,
          this.#path(operation, type, pathText),
          operation === 'list' || operation === 'mint' ? '' : body,
          caller,
          address,
        )
    this.#learn(asked, answer, address)
    return { asked, answer }
  }

  #asked(given: {
    operation: Operation
    type: Resource['type']
    caller: Caller
    address: string
    method: string
    text: string | undefined
    tool: boolean
    body: string
  }): InstanodeAsked {
    const { operation, type, caller, address, body, tool, method } = given
    const text = operation === 'claim' && given.text !== undefined ? trimmed(given.text) : given.text
    const token = text?.toLowerCase()
    // As they are before the answer.
    const latestFirst = this.#resources.map(resource => ({ ...resource })).reverse()
    return {
      ...{ operation, type, caller, method, tool, text },
      side: () => this.contract,
      badArguments: tool && isBad(operation, body),
      bodyBytes: hasBody(method) ? Buffer.byteLength(body) : 0,
      resource: latestFirst.find(one => one.token === token),
      owned: latestFirst.filter(({ owner }) => owner === caller),
      alike: latestFirst.filter(one => one.type === type && one.subnet === subnet(address)),
      provisions: this.#provisions.get(this.#day(address)) ?? 0,
      requestsLeft: tool ? 1 : this.#left(address),
      now: this.#now(),
      lastTick: this.#lastTick(),
    }
  }

  /** Learns from an answer what exists now. */
  #learn(asked: InstanodeAsked, { status, json }: Answer, address: string): void {
    const { operation, type, caller, now } = asked
    const created = operation === 'create' && (status === 201 || (asked.tool && status === 200))
    const token = String(field(json, 'token'))
    if (created && !this.#resources.some(one => one.token === token)) {
      const anonymous = isAnonymous(asked)
      const paid = caller === 'paid' || caller === 'other'
      this.#resources.push({
        ...{ token, type, subnet: subnet(address), owner: anonymous ? null : caller, deleted: false },
        ...{ tier: paid ? 'paid' : 'anonymous', expiresAt: paid ? null : now + DAY, outgrownAt: null },
      })
      const day = this.#day(address)
      if (anonymous) this.#provisions.set(day, (this.#provisions.get(day) ?? 0) + 1)
    }
    const resource = this.#resources.find(one => one.token === asked.resource?.token)
    if (resource === undefined || status >= 300) return
    if (operation === 'delete') resource.deleted = true
    if (operation !== 'claim') return
    resource.owner = caller
    if (caller === 'free') return
    resource.tier = 'paid'
    resource.expiresAt = null
  }

  #day(address: string): string {
    return `${subnet(address)} ${new Date(this.#now()).toISOString().slice(0, 10)}`
  }

  /** Takes a request from the bucket of an address. @returns how many it had left before */
  #left(address: string): number {
    const { left, at } = this.#buckets.get(address) ?? { left: 20, at: this.#now() }
    const now = Math.min(20, left + ((this.#now() - at) / 1000) * 10)
    this.#buckets.set(address, { left: Math.max(0, now < 1 ? now : now - 1), at: this.#now() })
    return now
  }

  #valid(dice: Dice, property: string): unknown {
    if (property === 'name') return dice.percent(80) ? `db ${dice.below(9)}` : dice.pick(EDGES)
    if (property !== 'token') return undefined
    if (this.#resources.length === 0 || dice.percent(8)) return NOBODYS
    const outgrown = this.#resources.filter(({ outgrownAt }) => outgrownAt !== null)
    const latest = this.#resources.slice(-12)
    const { token } = dice.pick(outgrown.length > 0 && dice.percent(20) ? outgrown : latest)
    return dice.percent(10) ? token.toUpperCase() : token
  }

  #schemaOf(operation: Operation, type: Resource['type']): unknown {
    const paths = { postgres: '/db/new', webhook: '/webhook/new' }
    const path = operation === 'create' ? paths[type] : operation === 'claim' ? '/api/me/claim' : undefined
    if (path === undefined) return {}
    const of = asSchema(asSchema(asSchema(this.document.paths)[path]).post).requestBody
    return asSchema(asSchema(asSchema(of).content)['application/json']).schema
  }

  #delivery(dice: Dice): string {
    return dice.percent(2) ? 'x'.repeat(1024 * 1024 + 1) : dice.pick(['', 'x', '{"a":1}', '<html>'])
  }

  #path(operation: Operation, type: Resource['type'], text: string): string {
    const token = encodeURIComponent(text)
    const paths: Record<Operation, string> = {
      create: type === 'postgres' ? '/db/new' : '/webhook/new',
      list: '/api/me/resources',
      mint: '/api/me/token',
      claim: '/api/me/claim',
      delete: `/api/me/resources/${token}`,
      receive: `/webhook/receive/${token}`,
      preview: `/claim/preview?token=${token}`,
      health: '/healthz',
      unknown: '/cache/new',
    }
    return paths[operation]
  }

  async #send(method: string, path: string, body: string, caller: Caller, address: string): Promise<Answer> {
    const bodied = hasBody(method) ? { body } : {}
    const answer = await send(this.url + path, { method, headers: headersOf(caller, address), ...bodied })
    return {
      status: answer.status,
      type: answer.headers['content-type'] ?? '',
      text: answer.body,
      json: answer.json,
    }
  }

  async #call(name: string, args: string, caller: Caller, address: string): Promise<Answer> {
    const body = rpc('tools/call', { name, arguments: JSON.parse(args) })
    const { json, headers } = await send(`${this.url}/mcp`, { headers: headersOf(caller, address), body })
    const result = field(json, 'result')
    const structured = field(result, 'structuredContent')
    return {
      status: structured === undefined ? 400 : 200,
      type: headers['content-type'] ?? '',
      text: JSON.stringify(result),
      json: structured,
      marked: field(result, 'isError') === true,
    }
  }
}

function headersOf(caller: Caller, address: string): Record<string, string> {
  const bearer = BEARERS[caller]
  return { 'x-forwarded-for': address, ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }) }
}

/** Node would send no length with the body of a DELETE. */
function hasBody(method: string): boolean {
  return method.startsWith('P')
}

function subnet(address: string): string {
  return address.replace(/\.\d+$/, '')
}

/** The arguments that a tool's schema refuses (facts §13): `name` has 1 to 64 UTF-16 units, `token` is not empty. */
function isBad(operation: Operation, body: string): boolean {
  const args: Record<string, unknown> = JSON.parse(body)
  const wanted =
    operation === 'create' ? 'name' : operation === 'claim' || operation === 'delete' ? 'token' : undefined
  if (Object.keys(args).some(name => name !== wanted)) return true
  if (wanted === undefined) return false
  const value = args[wanted]
  return typeof value !== 'string' || value === '' || (wanted === 'name' && value.length > 64)
}

/** A field as Go's decoder reads it (facts §4, §8). Undefined if the body cannot be decoded. */
function textIn(body: string, name: string): string | undefined {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    return undefined
  }
  if (value === null) return ''
  if (typeof value !== 'object' || Array.isArray(value)) return undefined
  const given = field(value, name)
  if (given === undefined || given === null) return ''
  return typeof given === 'string' ? given : undefined
}
