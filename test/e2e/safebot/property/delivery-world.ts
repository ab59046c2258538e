import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { LEASE_MS } from '../../../../servers/safebot/domain/consumer.js'
import { createUnderstudy, type Understudy } from '../../../../servers/understudy/index.js'
import { claim, claimNow, createRoom, say, type Task } from '../../../support/clients/room.js'
import { call } from '../../../support/servers/understudy.js'

export const HANDLES = ['alice', 'bob', 'carol'] as const
export type Handle = (typeof HANDLES)[number]

/** One delivery as its receiver saw it. */
interface Delivery {
  handle: Handle
  seq: number
  claimId: string
  at: number
}

/** The real thing: one instance, one room, an agent for each handle; and a record of all that was seen. */
export class DeliveryWorld {
  readonly deliveries: Delivery[] = []
  readonly acknowledged: Delivery[] = []
  readonly sent: { seq: number; from: Handle }[] = []

  private constructor(
    readonly understudy: Understudy,
    readonly clients: Record<Handle, Client>,
    readonly url: string,
  ) {}

  /** @param store the URL of where it keeps what it knows; default: in memory */
  static async open(store?: string): Promise<DeliveryWorld> {
    const shared = store === undefined ? {} : { store }
    const understudy = await createUnderstudy({ clock: 'manual', seed: 'property', ...shared })
    const connect = (handle: Handle) => understudy.safebot.connect({ handle })
    const clients = {
      alice: await connect('alice'),
      bob: await connect('bob'),
      carol: await connect('carol'),
    }
    return new DeliveryWorld(understudy, clients, await createRoom(clients.alice))
  }

  get now(): number {
    return this.understudy.clock.now()
  }

  async send(from: Handle): Promise<number> {
    const seq = await say(this.clients[from], this.url, `from ${from}`)
    this.sent.push({ seq, from })
    return seq
  }

  async claimNow(handle: Handle): Promise<Task> {
    return this.delivered(handle, await claimNow(this.clients[handle], this.url))
  }

  /** A claim that is expected to find nothing, for a second. */
  async claimNothing(handle: Handle): Promise<Task | undefined> {
    const claiming = claim(this.clients[handle], this.url, 1)
    await Promise.race([claiming, this.understudy.clock.whenPending(1)])
    await this.understudy.clock.advance(1000)
    return claiming
  }

  /** A blocking call that is cancelled before anything comes. */
  async cancelled(handle: Handle, tool: 'next_task' | 'claim_task'): Promise<void> {
    const controller = new AbortController()
    const calling = call(this.clients[handle], tool, { url: this.url }, { signal: controller.signal })
    await Promise.race([calling, this.understudy.clock.whenPending(1)])
    controller.abort()
    await calling.catch(() => undefined)
  }

  /** Acknowledges; returns whether the cursor moved, or undefined if it was refused. */
  async ack(handle: Handle, claimId: string, seq: number): Promise<boolean | undefined> {
    const result = await call(this.clients[handle], 'ack_task', { url: this.url, claim_id: claimId, seq })
    if (result.isError) return undefined
    const advanced = result.structuredContent?.advanced === true
    if (advanced) this.acknowledged.push({ handle, seq, claimId, at: this.now })
    return advanced
  }

  /** Works off all that is left, then holds what was seen against the four promises. */
  async check(): Promise<void> {
    await this.understudy.clock.advance(LEASE_MS + 1)
    for (const handle of HANDLES) {
      for (let left = this.sent.length; left >= 0; left--) {
        const pending = this.sent.some(({ seq, from }) => from !== handle && seq > this.cursor(handle))
        if (!pending) break
        const task = await this.claimNow(handle)
        await this.ack(handle, task.claimId, task.seq)
      }
    }
    for (const handle of HANDLES) this.checkHandle(handle)
  }

  close(): Promise<void> {
    return this.understudy.close()
  }

  private cursor(handle: Handle): number {
    return this.acknowledged.filter(ack => ack.handle === handle).at(-1)?.seq ?? 0
  }

  private delivered(handle: Handle, task: Task): Task {
    this.deliveries.push({ handle, seq: task.seq, claimId: task.claimId, at: this.now })
    return task
  }

  private checkHandle(handle: Handle): void {
    const meant = this.sent.filter(({ from }) => from !== handle).map(({ seq }) => seq)
    const acked = this.acknowledged.filter(ack => ack.handle === handle).map(({ seq }) => seq)
    if (acked.join() !== meant.join()) {
      throw new Error(
        `${handle} was sent ${meant} and has acknowledged ${acked}: something was lost, doubled or reordered`,
      )
    }
    const seen = this.deliveries.filter(delivery => delivery.handle === handle)
    const firsts = seen.filter(
      (delivery, index) => seen.findIndex(({ claimId }) => claimId === delivery.claimId) === index,
    )
    for (const [index, later] of firsts.entries()) {
      const earlier = firsts[index - 1]
      if (earlier === undefined) continue
      const done = this.acknowledged.some(({ claimId, at }) => claimId === earlier.claimId && at <= later.at)
      if (!done && later.at - earlier.at <= LEASE_MS) {
        throw new Error(
          `${handle} was given seq ${later.seq} while its claim of seq ${earlier.seq} was alive`,
        )
      }
    }
  }
}
