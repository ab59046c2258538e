import { describe, expect, it } from 'vitest'
import type { Fault } from '../../../shared/faults/fault.js'
import type { Overlay } from '../../../shared/overlays/overlay.js'
import { startControlled } from '../../support/clients/control.js'
import { call, ok, refused } from '../../support/servers/understudy.js'

const FAULT: Fault = {
  server: 'instanode',
  tool: 'list_resources',
  when: { nth: 2 },
  do: { toolError: 'out of order' },
}
const OVERLAY: Overlay = { server: 'safebot', tool: 'room_status', do: { rename: 'status_of_room' } }

describe('faults, over HTTP', () => {
  it('are set, injected, counted and removed', async () => {
    const { control, u } = await startControlled()
    expect(await control.faults.set([FAULT])).toEqual([{ ...FAULT, hits: 0 }])
    await expect(control.faults.expectAllHit()).rejects.toMatchObject({ status: 409, code: 'faults_not_hit' })
    const agent = await u.instanode.connect({ token: 'understudy-paid-token' })
    await ok(agent, 'list_resources')
    expect(await refused(agent, 'list_resources')).toContain('out of order')
    expect(await control.faults.list()).toEqual([{ ...FAULT, hits: 1 }])
    await control.faults.expectAllHit()
    await control.faults.clear()
    expect(await control.faults.list()).toEqual([])
  })

  it('can be set again from what was read, with new counts', async () => {
    const { control, u } = await startControlled()
    await control.faults.set([{ ...FAULT, when: { always: true } }])
    await call(await u.instanode.connect(), 'list_resources')
    const listed = await control.faults.list()
    expect(listed.map(({ hits }) => hits)).toEqual([1])
    expect(await control.faults.set(listed)).toEqual([{ ...FAULT, when: { always: true }, hits: 0 }])
  })
})

describe('overlays, over HTTP', () => {
  it('are set, listed and removed, and can be set again from what was read', async () => {
    const { control, u } = await startControlled()
    const agent = await u.safebot.connect({ handle: 'worker' })
    await control.catalogue.set([OVERLAY])
    expect((await agent.listTools()).tools.map(({ name }) => name)).toContain('status_of_room')
    const listed = await control.catalogue.list()
    expect(listed).toEqual([{ ...OVERLAY, lists: 1, inEffect: true }])
    expect(await control.catalogue.set(listed)).toEqual([{ ...OVERLAY, lists: 0, inEffect: true }])
    await control.catalogue.clear()
    expect((await agent.listTools()).tools.map(({ name }) => name)).toContain('room_status')
  })
})
