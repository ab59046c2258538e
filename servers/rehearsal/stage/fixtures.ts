import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { Refusal } from '../../../shared/errors.js'
import { isObject } from '../../../shared/util/objects.js'
import type { Understudy } from '../../understudy/understudy.js'

/**
 * The token of an account. A gateway that adds the credential for the upstream uses this token for all calls.
 */
export const ACCOUNT_TOKEN = 'understudy-paid-token'

/** The handle that creates the prepared rooms and sends their messages. */
const OTHER_HANDLE = 'somebody-else'

const USING_UP = ['delete_resource', 'next_task', 'claim_task', 'ack_task']

/**
 * Returns whether a call of the tool uses up the referenced values. For example, a task can be acknowledged
 * only once.
 */
export function usesUp(tool: string): boolean {
  return USING_UP.includes(tool)
}

/**
 * Length of `$long_text` in characters. Many HTTP servers reject a body of this size by default. For example,
 * the default limit of Express is 100 kB.
 */
export const LONG_TEXT_CHARS = 128 * 1024

const SHARED_MS = 60_000

/** A call whose arguments may contain references to prepared values. */
interface Preparing {
  tool: string
  args: unknown
  caller: string
  /** Whether the values are prepared anew for this call. */
  own: boolean
}

/** Returns the Safebot handle of a caller. */
export function handleOf(caller: string): string {
  return `rehearsal-${caller.toLowerCase().replace(/[^a-z0-9]+/g, '-')}`
}

/**
 * Prepares the values that references in arguments stand for, with calls that bypass the gateway. If a tool
 * uses up its values, each call of the tool gets new values.
 *
 * - `$room`: the URL of a room that contains a message
 * - `$token`: the token of a receiver that the account owns
 * - `$claim_id`, `$seq`: the claim id and the `seq` of a task in `$room`, which the caller has claimed
 * - `$base`: the origin of the room URLs
 * - `$long_text`: a text of {@link LONG_TEXT_CHARS} characters
 */
export class PreparedValues {
  static readonly names = ['room', 'token', 'claim_id', 'seq', 'base', 'long_text'] as const
  readonly #understudy: Understudy
  readonly #clients = new Map<string, Promise<Client>>()
  #shared: { room: string; at: number } | undefined
  #sharedToken: string | undefined

  constructor(understudy: Understudy) {
    this.#understudy = understudy
  }

  /** Prepares the values for the references in the arguments of a call. */
  async prepare({ tool, args, caller, own }: Preparing): Promise<ReadonlyMap<string, unknown>> {
    const wanted = new Set(referencesIn(args))
    const values = new Map<string, unknown>([
      ['base', this.#understudy.safebot.apiUrl],
      ['long_text', 'x'.repeat(LONG_TEXT_CHARS)],
    ])
    const unshared = own || usesUp(tool)
    const claims = wanted.has('claim_id') || wanted.has('seq')
    if (wanted.has('room') || claims) {
      const room = unshared ? await this.#room() : await this.#sharedRoom()
      values.set('room', room)
      if (claims) await this.#claim(room, caller, values)
    }
    if (wanted.has('token')) {
      if (!unshared) this.#sharedToken ??= await this.#token()
      values.set('token', unshared ? await this.#token() : this.#sharedToken)
    }
    return values
  }

  async close(): Promise<void> {
    for (const client of this.#clients.values()) await (await client).close()
  }

  /**
   * Returns a room that calls share. The room is replaced after a minute, because Safebot removes a room that
   * is unused for a day.
   */
  async #sharedRoom(): Promise<string> {
    const now = this.#understudy.clock.now()
    if (this.#shared === undefined || now - this.#shared.at > SHARED_MS) {
      this.#shared = { room: await this.#room(), at: now }
    }
    return this.#shared.room
  }

  async #room(): Promise<string> {
    const client = this.#client('safebot', OTHER_HANDLE)
    const room = text(await called(client, 'create_room', {}), 'url')
    await called(client, 'send_message', { url: room, text: 'a message that waits' })
    return room
  }

  async #claim(room: string, caller: string, values: Map<string, unknown>): Promise<void> {
    const args = { url: room, timeout_seconds: 1 }
    const claimed = await called(this.#client('safebot', handleOf(caller)), 'claim_task', args)
    values.set('claim_id', text(claimed, 'claim_id'))
    values.set('seq', isObject(claimed.task) ? claimed.task.seq : undefined)
  }

  async #token(): Promise<string> {
    const client = this.#client('instanode', ACCOUNT_TOKEN)
    return text(await called(client, 'create_webhook', { name: 'rehearsal' }), 'token')
  }

  #client(server: 'instanode' | 'safebot', identity: string): Promise<Client> {
    const key = `${server} ${identity}`
    const { instanode, safebot } = this.#understudy
    const client =
      this.#clients.get(key) ??
      (server === 'instanode'
        ? instanode.connect({ token: identity })
        : safebot.connect({ handle: identity }))
    this.#clients.set(key, client)
    return client
  }
}

async function called(
  client: Promise<Client>,
  name: string,
  args: Record<string, unknown>,
): Promise<Record<string, unknown>> {
  const { structuredContent } = await (await client).callTool({ name, arguments: args })
  if (isObject(structuredContent)) return structuredContent
  throw new Refusal(
    'not_prepared',
    `${name} returned no structured result, which the rehearsal needs to prepare values`,
  )
}

function text(result: Record<string, unknown>, key: string): string {
  const value = result[key]
  if (typeof value === 'string') return value
  throw new Refusal('not_prepared', `the result of a call that prepares values has no ${key}`)
}

/** Returns the value with a name. Undefined for an unknown name. */
type Lookup = (name: string) => unknown

/**
 * Replaces the references in arguments by their values.
 *
 * A reference is a string such as `$name` or `$name.field.field`. A string that begins with `$$` is not a
 * reference. Its first `$` is removed.
 *
 * @param missing called for a reference that has no value
 */
export function resolved(args: unknown, lookup: Lookup, missing: (reference: string) => never): unknown {
  if (typeof args === 'string') {
    if (args.startsWith('$$')) return args.slice(1)
    if (!args.startsWith('$')) return args
    const [name = '', ...keys] = args.slice(1).split('.')
    const found = keys.reduce<unknown>((part, key) => (isObject(part) ? part[key] : undefined), lookup(name))
    return found === undefined ? missing(args) : found
  }
  if (Array.isArray(args)) return args.map(item => resolved(item, lookup, missing))
  if (!isObject(args)) return args
  return Object.fromEntries(
    Object.entries(args).map(([key, value]) => [key, resolved(value, lookup, missing)]),
  )
}

/** Returns the names of all references in arguments. */
export function referencesIn(args: unknown): string[] {
  if (typeof args === 'string') {
    return args.startsWith('$') && !args.startsWith('$$') ? args.slice(1).split('.').slice(0, 1) : []
  }
  if (Array.isArray(args)) return args.flatMap(referencesIn)
  return isObject(args) ? Object.values(args).flatMap(referencesIn) : []
}
