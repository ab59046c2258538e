import { expect, it } from 'vitest'
import type { Fault } from '../../../servers/understudy/index.js'
import { createRoom, say } from '../../support/clients/room.js'
import { call, startUnderstudy, textOf } from '../../support/servers/understudy.js'

/** A room in which a job waits for a worker; `next` is the text of its `next_task`. */
async function start() {
  const { safebot, faults, clock } = await startUnderstudy()
  const worker = await safebot.connect({ handle: 'worker' })
  const url = await createRoom(worker)
  await say(await safebot.connect({ handle: 'boss' }), url, 'the job')
  const task = { server: 'safebot', tool: 'ack_task', when: { nth: 1 } } as const
  return {
    spoil: (action: Fault['do']) => faults.set([{ ...task, do: action }]),
    next: async () => textOf(await call(worker, 'next_task', { url, timeout_seconds: 5 })),
    faults,
    clock,
  }
}

// fidelity safebot/mcp, same: `next_task` warns if its ack fails, and the message comes again.
it.each([
  [{ httpStatus: 500, body: { error: 'internal' } }, 'ack failed: 500 {"error":"internal"}'],
  [{ httpStatus: 503 }, 'ack failed: 503'],
  [{ toolError: 'ack failed: no disk' }, 'ack failed: no disk'],
] as const)('%j on the ack inside next_task shows the published warning', async (action, why) => {
  const { spoil, next, faults, clock } = await start()
  spoil(action)
  const first = await next()
  expect(first).toContain('the job')
  expect(first).toContain(`(warning: ${why}; message will be re-delivered on next call)`)
  faults.expectAllHit()
  await clock.advance(60_000)
  const second = await next()
  expect(second).toContain('the job')
  expect(second).not.toContain('warning')
})

it('a fault that has no meaning inside next_task does not affect its ack, and is not counted', async () => {
  const { spoil, next, faults } = await start()
  spoil({ hang: true })
  expect(await next()).not.toContain('warning')
  expect(() => faults.expectAllHit()).toThrow('0 calls matched')
})
