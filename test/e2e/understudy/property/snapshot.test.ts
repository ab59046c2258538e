import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Agents } from '../../../../servers/safebot/callers.js'
import { IdSource } from '../../../../shared/ids.js'
import { operation, SnapshotWorld } from './snapshot-world.js'

const operations = fc.array(operation, { maxLength: 25, size: 'max' })

/** An instance that was put back, and one to which nothing of what was undone ever happened. */
const restoreIsIdentity = (contract: 'documented' | 'observed') =>
  fc.asyncProperty(operations, operations, operations, async (before, undone, after) => {
    const restored = await SnapshotWorld.open(contract)
    const untouched = await SnapshotWorld.open(contract)
    try {
      expect(await restored.run(before)).toEqual(await untouched.run(before))
      const snapshot = await restored.understudy.snapshot()
      const was = restored.dump(snapshot)
      const memory = restored.memory()
      await restored.run(undone)
      await restored.understudy.restore(snapshot)
      restored.recall(memory)
      expect(restored.dump(await restored.understudy.snapshot())).toEqual(was)
      expect(await restored.run(after)).toEqual(await untouched.run(after))
      expect(restored.dump(await restored.understudy.snapshot())).toEqual(
        untouched.dump(await untouched.understudy.snapshot()),
      )
    } finally {
      await restored.close()
      await untouched.close()
    }
  })

/** A fixed seed: a property that has to fail must do so every time. */
const WILL_FAIL = { seed: 1, numRuns: 200, endOnFailure: true }

afterEach(() => vi.restoreAllMocks())

describe('after any operations, restore(snapshot()) restores the state, and later calls get the same answers and ids', () => {
  it.each(['documented', 'observed'] as const)('under the %s contract', async contract => {
    await fc.assert(restoreIsIdentity(contract), { numRuns: 100 })
  })

  it('which fails if ids are not restored', async () => {
    vi.spyOn(IdSource.prototype, 'moveTo').mockReturnValue(undefined)
    expect((await fc.check(restoreIsIdentity('documented'), WILL_FAIL)).failed).toBe(true)
  })

  it('which fails if agents keep the names that they took after the snapshot', async () => {
    vi.spyOn(Agents.prototype, 'restore').mockReturnValue(undefined)
    expect((await fc.check(restoreIsIdentity('documented'), WILL_FAIL)).failed).toBe(true)
  })
})
