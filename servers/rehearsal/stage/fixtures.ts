import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { Refusal } from '../../../shared/errors.js'
import { isObject } from '../../../shared/util/is-object.js'
import type { Understudy } from '../../understudy/understudy.js'

/** The token of the account that calls use if the gateway adds the upstream's credential. */
export const ACCOUNT_TOKEN = 'understudy-paid-token'

/** The handle that sends the messages of prepared rooms. */
const SOMEBODY = 'somebody-else'

const USING_UP = ['delete_resource', 'next_task', 'claim_task', 'ack_task']

/** Returns whether a call of the tool uses up the values that its arguments refer to. */
export function usesUp(tool: string): boolean {
  return USING_UP.includes(tool)
}

/**
 * Length of `$long_text` in characters. By default, many HTTP servers reject such a body. The limit of
 * Express is 100 kB.
 */
export const LONG_TEXT_CHARS = 128 * 1024

const SHARED_MS = 60_000

/** A call with references to prepared values. */
interface Preparing {
  tool: string
  args: unknown
  caller: string
  /** Whether the values are prepared for this call alone. */
  own: boolean
}

/** Returns the handle of a caller in rooms. */
export function handleOf(caller: string): string {
  return `rehearsal-${caller.toLowerCase().replace(/[^a-z0-9]+/g, '-')}`
}

/**
 * Prepares the values that arguments refer to, with calls that bypass the gateway. A tool that uses up a
 * value gets a new one for each call.
 *
 * - `$room`: the URL of a room that contains a message
 * - `$token`: the token of a receiver that the account owns
 * - `$claim_id`, `$seq`: the claim id and the `seq` of a task in `$room` that the caller has claimed
 * - `$base`: the origin of the room URLs
 * - `$long_text`: a text of {@link LONG_TEXT_CHARS} characters
 */
export class Props {
  static readonly names = ['room', 'token', 'claim_id', 'seq', 'base', 'long_text'] as const
  readonly #understudy: Understudy
  readonly #clients = new Map<string, Promise<Client>>()
  #shared: { room: string; at: number } | undefined
  #sharedToken: string | undefined

  constructor(understudy: Understudy) {
    this.#understudy = understudy
  }

  /** Prepares the values that the arguments of a call refer to. */
  async prepare({ tool, args, caller, own }: Preparing): Promise<ReadonlyMap<string, unknown>> {
    const wanted = new Set(referencesIn(args))
    const props = new Map<string, unknown>([
      ['base', this.#understudy.safebot.apiUrl],
      ['long_text', 'x'.repeat(LONG_TEXT_CHARS)],
    ])
    const unshared = own || usesUp(tool)
    const claims = wanted.has('claim_id') || wanted.has('seq')
    if (wanted.has('room') || claims) {
      const room = unshared ? await this.#room() : await this.#sharedRoom()
      props.set('room', room)
      if (claims) await this.#claim(room, caller, props)
    }
    if (wanted.has('token')) {
      if (!unshared) this.#sharedToken ??= await this.#token()
      props.set('token', unshared ? await this.#token() : this.#sharedToken)
    }
    return props
  }

  async close(): Promise<void> {
    for (const client of this.#clients.values()) await (await client).close()
  }

  /**
   * Returns a room that calls share for a minute. Rooms are replaced, because an unused room is removed after
   * a day.
   */
  async #sharedRoom(): Promise<string> {
    const now = this.#understudy.clock.now()
    if (this.#shared === undefined || now - this.#shared.at > SHARED_MS) {
      this.#shared = { room: await this.#room(), at: now }
    }
    return this.#shared.room
  }

  async #room(): Promise<string> {
    const client = this.#client('safebot', SOMEBODY)
    const room = text(await called(client, 'create_room', {}), 'url')
    await called(client, 'send_message', { url: room, text: 'a message that waits' })
    return room
  }

  async #claim(room: string, caller: string, props: Map<string, unknown>): Promise<void> {
    const args = { url: room, timeout_seconds: 1 }
    const claimed = await called(this.#client('safebot', handleOf(caller)), 'claim_task', args)
    props.set('claim_id', text(claimed, 'claim_id'))
    props.set('seq', isObject(claimed.task) ? claimed.task.seq : undefined)
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
  throw new Refusal('not_prepared', `${name} did not prepare what a rehearsal needs`)
}

function text(result: Record<string, unknown>, key: string): string {
  const value = result[key]
  if (typeof value === 'string') return value
  throw new Refusal('not_prepared', `${key} is missing from what a rehearsal needs`)
}

/** Returns the value that a name refers to. Undefined for an unknown name. */
type Lookup = (name: string) => unknown

/**
 * Returns arguments with the values of their references.
 *
 * A reference is a text such as `$name` or `$name.field.field`. A text that begins with `$$` means a text
 * with one `$`.
 *
 * @param missing called with a reference that has no value
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

/** Returns the names in the references of arguments. */
export function referencesIn(args: unknown): string[] {
  if (typeof args === 'string') {
    return args.startsWith('$') && !args.startsWith('$$') ? args.slice(1).split('.').slice(0, 1) : []
  }
  if (Array.isArray(args)) return args.flatMap(referencesIn)
  return isObject(args) ? Object.values(args).flatMap(referencesIn) : []
}
