import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { Instanode } from '../../../../servers/instanode/index.js'
import { createInstance } from '../../../../servers/understudy/instance.js'
import type { Instance } from '../../../../shared/instance.js'
import { RecordingDatabases } from '../../../support/databases/recording-databases.js'
import {
  createPostgres,
  databaseOf,
  FREE,
  listedTokens,
  PAID,
  PAID_2,
} from '../../../support/servers/instanode.js'
import { call, textOf } from '../../../support/servers/understudy.js'
import type { CallerName, Outcome } from './ownership-model.js'

const NOBODYS = '00000000-0000-4000-8000-000000000000'

/** The real thing: one instance, a client for each caller, and the tokens of what was created. */
export class OwnershipWorld {
  readonly tokens: string[] = []

  private constructor(
    readonly instance: Instance,
    readonly instanode: Instanode,
    readonly databases: RecordingDatabases,
    readonly clients: Record<CallerName, Client>,
  ) {}

  /** @param store to keep it in; default: memory */
  static async open(store?: string): Promise<OwnershipWorld> {
    const instance = await createInstance({ clock: 'manual', seed: 'property', ...(store && { store }) })
    const databases = new RecordingDatabases()
    const instanode = await Instanode.create(instance, { databases })
    const clients = {
      anonymous: await instanode.connect(),
      free: await instanode.connect({ token: FREE }),
      paid: await instanode.connect({ token: PAID }),
      paid2: await instanode.connect({ token: PAID_2 }),
    }
    return new OwnershipWorld(instance, instanode, databases, clients)
  }

  async create(caller: CallerName): Promise<void> {
    this.tokens.push((await createPostgres(this.clients[caller])).token)
  }

  async claim(caller: CallerName, nth: number): Promise<Outcome> {
    return this.#outcome(caller, 'claim_token', nth)
  }

  async remove(caller: CallerName, nth: number): Promise<Outcome> {
    return this.#outcome(caller, 'delete_resource', nth)
  }

  /** The places of what the caller is shown. */
  async listed(caller: CallerName): Promise<number[]> {
    if (caller === 'anonymous') return []
    return (await listedTokens(this.clients[caller])).map(token => this.tokens.indexOf(token))
  }

  /** The places of the databases that exist. */
  get existing(): number[] {
    return this.tokens.flatMap((token, nth) => (this.databases.live.has(databaseOf(token)) ? [nth] : []))
  }

  async close(): Promise<void> {
    await this.instanode.close()
    await this.instance.close()
  }

  async #outcome(caller: CallerName, tool: string, nth: number): Promise<Outcome> {
    const result = await call(this.clients[caller], tool, { token: this.tokens[nth] ?? NOBODYS })
    if (!result.isError) return 'done'
    const text = textOf(result)
    for (const status of [404, 410] as const) if (text.includes(`(${status} `)) return status
    if (text.includes('only paid accounts')) return 403
    if (text.includes('INSTANODE_TOKEN')) return 'no_token'
    throw new Error(`an outcome no rule knows: ${text}`)
  }
}
