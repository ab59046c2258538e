import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import fc from 'fast-check'
import { createUnderstudy, type Snapshot, type Understudy } from '../../../../servers/understudy/index.js'
import { dataOf } from '../../../../servers/understudy/state.js'
import { RecordingDatabases } from '../../../support/databases/recording-databases.js'
import { FREE, PAID, PAID_2 } from '../../../support/servers/instanode.js'
import { call } from '../../../support/servers/understudy.js'

/** An operation on an instance. Its numbers select from the existing items. */
export type Operation =
  | { do: 'create'; type: 'postgres' | 'webhook'; by: number; from: number }
  | { do: 'claim' | 'delete' | 'deliver'; by: number; nth: number }
  | { do: 'list' | 'mint'; by: number }
  | { do: 'room'; by: number }
  | { do: 'send'; by: number; nth: number; name: number }
  | { do: 'take' | 'ack' | 'next' | 'read' | 'status'; by: number; nth: number }
  | { do: 'fault'; nth: number }
  | { do: 'overlay'; nth: number }
  | { do: 'advance'; ms: number }

const small = fc.nat(3)
const by = fc.nat(2)

export const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({
    do: fc.constant('create' as const),
    type: fc.constantFrom('postgres' as const, 'webhook' as const),
    by: fc.nat(3),
    from: fc.nat(1),
  }),
  fc.record({ do: fc.constantFrom('claim' as const, 'delete' as const, 'deliver' as const), by, nth: small }),
  fc.record({ do: fc.constantFrom('list' as const, 'mint' as const), by }),
  fc.record({ do: fc.constant('room' as const), by }),
  fc.record({ do: fc.constant('send' as const), by, nth: fc.nat(1), name: small }),
  fc.record({ do: fc.constant('send' as const), by, nth: fc.nat(1), name: small }),
  fc.record({
    do: fc.constantFrom('take' as const, 'ack' as const, 'next' as const, 'read' as const, 'status' as const),
    by,
    nth: fc.nat(1),
  }),
  fc.record({ do: fc.constant('fault' as const), nth: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ do: fc.constant('overlay' as const), nth: small }),
  fc.record({
    do: fc.constant('advance' as const),
    ms: fc.constantFrom(1, 30_001, 60_001, 3_600_000, 86_400_000),
  }),
)

const NAMES = [undefined, 'alice', 'bob', 'other']

/** One instance, callers of both servers, and the tokens, rooms and claims they have come to know. */
export class SnapshotWorld {
  #tokens: string[] = []
  #rooms: string[] = []
  #claims: { url: string; claim_id: string; seq: number; by: number }[] = []

  private constructor(
    readonly understudy: Understudy,
    readonly accounts: readonly Client[],
    readonly agents: readonly Client[],
  ) {}

  static async open(contract: 'documented' | 'observed'): Promise<SnapshotWorld> {
    const databases = new RecordingDatabases()
    const understudy = await createUnderstudy({ clock: 'manual', seed: 'snapshots', databases, contract })
    const { instanode, safebot } = understudy
    const addresses = ['203.0.113.1', '198.51.100.1']
    const accounts = [
      ...(await Promise.all([FREE, PAID, PAID_2].map(token => instanode.connect({ token })))),
      ...(await Promise.all(addresses.map(address => instanode.connect({ address })))),
    ]
    const agents = await Promise.all(['alice', 'bob', 'carol'].map(handle => safebot.connect({ handle })))
    return new SnapshotWorld(understudy, accounts, agents)
  }

  /** Returns the callers' memory, which is restored together with the instance. */
  memory() {
    return { tokens: [...this.#tokens], rooms: [...this.#rooms], claims: [...this.#claims] }
  }

  recall({ tokens, rooms, claims }: ReturnType<SnapshotWorld['memory']>): void {
    this.#tokens = [...tokens]
    this.#rooms = [...rooms]
    this.#claims = [...claims]
  }

  /** Does everything, in order; returns all that was answered, but for where this instance happens to listen. */
  async run(operations: readonly Operation[]): Promise<string[]> {
    const answers: string[] = []
    for (const operation of operations) answers.push(this.#unplaced(await this.#do(operation)))
    return answers
  }

  /** All there is in a snapshot, likewise. */
  dump(snapshot: Snapshot): unknown {
    return JSON.parse(this.#unplaced(dataOf(snapshot)))
  }

  close(): Promise<void> {
    return this.understudy.close()
  }

  #unplaced(value: unknown): string {
    const { instanode, safebot } = this.understudy
    return (JSON.stringify(value) ?? 'undefined')
      .replaceAll(new URL(instanode.apiUrl).host, 'instanode')
      .replaceAll(new URL(safebot.apiUrl).host, 'safebot')
  }

  async #do(operation: Operation): Promise<unknown> {
    const { understudy } = this
    switch (operation.do) {
      case 'advance':
        return understudy.clock.advance(operation.ms)
      case 'fault':
        return understudy.faults.set([
          { server: 'safebot', tool: 'send_message', when: { nth: operation.nth }, do: { toolError: 'no' } },
        ])
      case 'overlay':
        return understudy.catalogue.set([
          { server: 'safebot', tool: 'ack_task', after: operation.nth, do: { describe: 'changed' } },
        ])
      case 'create':
      case 'claim':
      case 'delete':
      case 'deliver':
      case 'list':
      case 'mint':
        return this.#atInstanode(operation)
      default:
        return this.#atSafebot(operation)
    }
  }

  async #atInstanode(
    operation: Extract<Operation, { do: 'create' | 'claim' | 'delete' | 'deliver' | 'list' | 'mint' }>,
  ): Promise<unknown> {
    if (operation.do === 'create') {
      const anonymous = operation.by === 3
      const result = await this.#call(
        this.accounts,
        operation.by + (anonymous ? operation.from : 0),
        `create_${operation.type}`,
        {
          name: 'x',
        },
      )
      const token = Object(result.structuredContent).token
      if (typeof token === 'string') this.#tokens.push(token)
      return result
    }
    if (!('nth' in operation)) {
      const tool = operation.do === 'list' ? 'list_resources' : 'get_api_token'
      return this.#call(this.accounts, operation.by, tool, {})
    }
    const token = this.#tokens[operation.nth]
    if (token === undefined) return 'nothing there'
    if (operation.do === 'deliver') {
      const response = await fetch(`${this.understudy.instanode.apiUrl}/webhook/receive/${token}`, {
        method: 'POST',
        body: String(operation.by),
      })
      return [response.status, await response.text(), await this.understudy.instanode.deliveries(token)].map(
        // Which port a request comes from is the machine's business.
        part => (Array.isArray(part) ? part.map(({ id, receivedAt }) => [id, receivedAt]) : part),
      )
    }
    const tool = operation.do === 'claim' ? 'claim_token' : 'delete_resource'
    return this.#call(this.accounts, operation.by, tool, { token })
  }

  async #atSafebot(
    operation: Extract<Operation, { do: 'room' | 'send' | 'take' | 'ack' | 'next' | 'read' | 'status' }>,
  ): Promise<unknown> {
    const { by } = operation
    if (operation.do === 'room') {
      const result = await this.#call(this.agents, by, 'create_room', {})
      this.#rooms.push(String(Object(result.structuredContent).url))
      return result
    }
    const url = this.#rooms[operation.nth]
    if (operation.do === 'ack') {
      const claim = this.#claims.findLast(one => one.by === by)
      if (claim === undefined) return 'nothing claimed'
      const { url, claim_id, seq } = claim
      return this.#call(this.agents, by, 'ack_task', { url, claim_id, seq })
    }
    if (url === undefined) return 'nothing there'
    if (operation.do === 'send') {
      const name = NAMES[operation.name]
      return this.#call(this.agents, by, 'send_message', { url, text: 'hello', ...(name && { name }) })
    }
    if (operation.do === 'read') return this.#call(this.agents, by, 'get_transcript', { url })
    if (operation.do === 'status') return this.#call(this.agents, by, 'room_status', { url })
    return this.#take(by, url, operation.do === 'take' ? 'claim_task' : 'next_task')
  }

  /** Takes what there is; a second passes if there is nothing. */
  async #take(by: number, url: string, tool: string): Promise<unknown> {
    let settled = false
    const taking = this.#call(this.agents, by, tool, { url, timeout_seconds: 1 }).finally(() => {
      settled = true
    })
    for (let turns = 0; turns < 10 && !settled; turns++) await new Promise(resolve => setImmediate(resolve))
    if (!settled) await this.understudy.clock.advance(1000)
    const result = await taking
    const { claim_id, task } = Object(result.structuredContent)
    if (typeof claim_id === 'string') this.#claims.push({ url, claim_id, seq: task.seq, by })
    return result
  }

  #call(clients: readonly Client[], by: number, tool: string, args: Record<string, unknown>) {
    const client = clients[by]
    if (client === undefined) throw new Error(`there is no caller number ${by}`)
    return call(client, tool, args)
  }
}
