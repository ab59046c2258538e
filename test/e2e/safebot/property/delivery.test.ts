import fc from 'fast-check'
import { afterEach, expect, it, vi } from 'vitest'
import { Consumer } from '../../../../servers/safebot/domain/consumer.js'
import { useStores } from '../../../support/databases/store.js'
import { DeliveryModel } from './delivery-model.js'
import { DeliveryWorld, HANDLES, type Handle } from './delivery-world.js'

const stores = useStores()

type Command = fc.AsyncCommand<DeliveryModel, DeliveryWorld, true>

/** A command that is always possible. */
function command(name: string, run: (model: DeliveryModel, world: DeliveryWorld) => Promise<void>): Command {
  return { check: async () => true, run, toString: () => name }
}

const send = (handle: Handle) =>
  command(`${handle} sends`, async (model, world) => {
    model.sent.push({ seq: await world.send(handle), from: handle })
  })

const claim = (handle: Handle) =>
  command(`${handle} claims`, async (model, world) => {
    const due = model.due(handle)
    if (due === undefined) {
      expect(await world.claimNothing(handle)).toBeUndefined()
      model.now += 1000
      return
    }
    const live = model.live(handle)
    const task = await world.claimNow(handle)
    expect(task.seq).toBe(due)
    if (live !== undefined) expect(task.claimId).toBe(live.claimId)
    model.taken(handle, task.seq, task.claimId)
  })

const ack = (handle: Handle) =>
  command(`${handle} acknowledges`, async (model, world) => {
    const lease = model.leases.get(handle)
    if (lease === undefined) return
    const good = model.live(handle) !== undefined
    expect(await world.ack(handle, lease.claimId, lease.seq)).toBe(good ? true : undefined)
    if (good) model.acked(handle, lease.seq)
  })

const staleAck = (handle: Handle, pick: number) =>
  command(`${handle} acknowledges an old claim`, async (model, world) => {
    const spent = model.spent.get(handle) ?? []
    const old = spent[pick % Math.max(1, spent.length)]
    if (old === undefined) return
    expect(await world.ack(handle, old.claimId, old.seq)).toBe(
      old.seq <= model.cursor(handle) ? false : undefined,
    )
  })

const advance = (ms: number) =>
  command(`${ms} ms pass`, async (model, world) => {
    await world.understudy.clock.advance(ms)
    model.now += ms
  })

const cancel = (handle: Handle, tool: 'next_task' | 'claim_task') =>
  command(`${handle} cancels ${tool}`, async (model, world) => {
    if (model.due(handle) === undefined) await world.cancelled(handle, tool)
  })

const handle = fc.constantFrom(...HANDLES)
const commands = fc.commands<DeliveryModel, DeliveryWorld, true>(
  [
    handle.map(send),
    handle.map(send),
    handle.map(claim),
    handle.map(claim),
    handle.map(ack),
    handle.map(ack),
    fc.tuple(handle, fc.nat(9)).map(([who, pick]) => staleAck(who, pick)),
    fc.constantFrom(1, 60_000, 60_001, 60_001).map(advance),
    fc.tuple(handle, fc.constantFrom('next_task', 'claim_task')).map(([who, tool]) => cancel(who, tool)),
  ],
  { maxCommands: 50, size: 'max' },
)

/** @param place returns the URL of the store in which the next world keeps its state. Default: in memory */
const deliveryHoldsIn = (place: () => string | undefined) =>
  fc.asyncProperty(commands, async run => {
    const world = await DeliveryWorld.open(place())
    try {
      await fc.asyncModelRun(() => ({ model: new DeliveryModel(), real: world }), run)
      await world.check()
    } finally {
      await world.close()
    }
  })

const deliveryHolds = deliveryHoldsIn(() => undefined)

/** A fixed seed: a property that has to fail must do so every time. */
const WILL_FAIL = { seed: 1, numRuns: 1000, endOnFailure: true }

afterEach(() => vi.restoreAllMocks())

it('no message is lost, delivered twice or reordered, for any sends, claims, acks, cancellations and expiries', async () => {
  await fc.assert(deliveryHolds, { numRuns: 300 })
})

it('this is also true on PostgreSQL', async () => {
  await fc.assert(
    deliveryHoldsIn(() => stores.freshUrl()),
    { numRuns: 15 },
  )
})

it('the property fails when leases do not hold', async () => {
  vi.spyOn(Consumer.prototype, 'validLease').mockReturnValue(null)
  const { failed } = await fc.check(deliveryHolds, WILL_FAIL)
  expect(failed).toBe(true)
})

it('the property fails when late acknowledgements are accepted', async () => {
  vi.spyOn(Consumer.prototype, 'ack').mockImplementation(function (this: Consumer, _claimId, seq) {
    return {
      consumer: new Consumer({ handle: this.handle, roomId: this.roomId, cursor: seq }),
      advanced: true,
    }
  })
  const { failed } = await fc.check(deliveryHolds, WILL_FAIL)
  expect(failed).toBe(true)
})
