import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { afterEach, expect, it, vi } from 'vitest'
import { InstanodeStore } from '../../../../servers/instanode/domain/store.js'
import { useStores } from '../../../support/databases/store.js'
import { DAY, HOUR } from '../../../support/servers/instanode.js'
import { CALLERS, type CallerName, type Outcome, OwnershipModel } from './ownership-model.js'
import { OwnershipWorld } from './ownership-world.js'

const stores = useStores()

const { alter } = InstanodeStore.prototype

type Command = fc.AsyncCommand<OwnershipModel, OwnershipWorld, true>

function command(
  name: string,
  run: (model: OwnershipModel, world: OwnershipWorld) => Promise<void>,
  possible: (model: Readonly<OwnershipModel>) => boolean = () => true,
): Command {
  return { check: async model => possible(model), run, toString: () => name }
}

/** More than the cap in one day would be refused: that is another test's business. */
const MOST = 5

const create = (caller: CallerName) =>
  command(
    `${caller} creates`,
    async (model, world) => {
      await world.create(caller)
      model.create(caller)
    },
    model => model.resources.length < MOST,
  )

const claim = (caller: CallerName, nth: number) =>
  command(`${caller} claims ${nth}`, async (model, world) => {
    expect(await world.claim(caller, nth)).toBe(model.claim(caller, nth))
  })

const race = (callers: CallerName[], nth: number) =>
  command(`${callers.join(' and ')} claim ${nth} at once`, async (model, world) => {
    const outcomes = await Promise.all(
      callers.map(async caller => ({ caller, outcome: await world.claim(caller, nth) })),
    )
    // The winner came first. Any of them may win.
    const won = ({ outcome }: { outcome: Outcome }) => Number(outcome === 'done')
    const inOrder = outcomes.toSorted((one, other) => won(other) - won(one))
    expect(inOrder).toEqual(inOrder.map(({ caller }) => ({ caller, outcome: model.claim(caller, nth) })))
  })

const remove = (caller: CallerName, nth: number) =>
  command(`${caller} deletes ${nth}`, async (model, world) => {
    expect(await world.remove(caller, nth)).toBe(model.remove(caller, nth))
  })

const advance = (ms: number) =>
  command(`${ms / HOUR} h pass`, async (model, world) => {
    await world.instance.clock.advance(ms)
    model.now += ms
  })

const look = command('everybody looks', async (model, world) => {
  for (const caller of CALLERS) {
    if (caller !== 'anonymous') expect(await world.listed(caller)).toEqual(model.listed(caller))
  }
  expect(world.existing).toEqual(
    model.resources.flatMap((resource, nth) => (model.live(resource) ? [nth] : [])),
  )
})

const caller = fc.constantFrom(...CALLERS)
const place = fc.nat(MOST)
const commands = fc.commands<OwnershipModel, OwnershipWorld, true>(
  [
    caller.map(create),
    caller.map(create),
    fc.tuple(caller, place).map(([who, nth]) => claim(who, nth)),
    fc.tuple(caller, place).map(([who, nth]) => claim(who, nth)),
    fc.tuple(fc.shuffledSubarray([...CALLERS], { minLength: 2 }), place).map(([who, nth]) => race(who, nth)),
    fc.tuple(caller, place).map(([who, nth]) => remove(who, nth)),
    fc.constantFrom(1, HOUR, DAY / 2, DAY - 1, DAY).map(advance),
    fc.constant(look),
  ],
  { maxCommands: 30 },
)

const ownershipHoldsIn = (open: () => Promise<OwnershipWorld>) =>
  fc.asyncProperty(commands, async run => {
    const world = await open()
    try {
      const model = new OwnershipModel()
      await fc.asyncModelRun(() => ({ model, real: world }), run)
      await fc.asyncModelRun(() => ({ model, real: world }), [look])
    } finally {
      await world.close()
    }
  })

const ownershipHolds = ownershipHoldsIn(() => OwnershipWorld.open())

afterEach(() => {
  vi.restoreAllMocks()
})

it('ownership, lists and deletions match the model for any calls in any order', async () => {
  await fc.assert(ownershipHolds, { numRuns: 150 })
})

it('this is also true on PostgreSQL', async () => {
  const onPostgres = ownershipHoldsIn(async () => OwnershipWorld.open(stores.freshUrl()))
  await fc.assert(onPostgres, { numRuns: 15 })
})

it('the property fails if two concurrent claims can both succeed', async () => {
  // A change that is decided on what was there a while ago.
  vi.spyOn(InstanodeStore.prototype, 'alter').mockImplementation(async function (
    this: InstanodeStore,
    token,
    change,
  ) {
    const changed = change(await this.find(token))
    await turn()
    return changed && alter.call(this, token, () => changed)
  })
  const outcome = await fc.check(ownershipHolds, { numRuns: 600, endOnFailure: true })
  expect(outcome.failed).toBe(true)
})
