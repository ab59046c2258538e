import { describe, expect, it } from 'vitest'
import type { RawAnswer } from '../../../support/clients/raw-http.js'
import { anyCipher, registeredAgent } from '../../../support/clients/safebot-agent.js'
import { startSafebot } from '../../../support/servers/safebot.js'

const ROOM = 'room-1'
const CLAIM = `/api/rooms/${ROOM}/claim`
const MINUTE = 60_000

const claimOf = ({ json }: RawAnswer) => {
  const { claim_id, message } = Object(json)
  return { claim_id: String(claim_id), seq: Number(Object(message).seq) }
}

/** Safebot, and two agents that sign with the machine's time, as the published client does. */
async function startWithMachineTime(clock: string) {
  const { url, instance } = await startSafebot({ clock })
  const now = () => instance.machine.now()
  const [alice, bob] = await Promise.all([
    registeredAgent(url, 'alice', now),
    registeredAgent(url, 'bob', now),
  ])
  return { alice, bob, instance }
}

describe.each(['real', 'manual'])('a client that signs with the machine’s time, on a %s clock,', clock => {
  // fidelity safebot/http, differs: The time of a signature must be near the service's clock. Here: It may
  // also be near the machine's time, so that clients survive a jump of the clock.
  it('survives a jump of 60,001 ms', async () => {
    const { alice, bob, instance } = await startWithMachineTime(clock)
    await bob.saySigned(ROOM)
    const first = claimOf(await alice.claim(ROOM))
    await instance.clock.advance(MINUTE + 1)
    const again = claimOf(await alice.claim(ROOM))
    expect(again.seq).toBe(first.seq)
    expect(again.claim_id).not.toBe(first.claim_id)
    expect((await alice.ack(ROOM, first)).status).toBe(409)
    expect((await alice.ack(ROOM, again)).json).toEqual({ ok: true, advanced: true, cursor: first.seq })
    expect((await bob.saySigned(ROOM)).status).toBe(200)
    const next = claimOf(await alice.claim(ROOM))
    expect(next.seq).toBe(first.seq + 1)
    expect((await alice.ack(ROOM, next)).json).toMatchObject({ advanced: true })
    expect((await alice.register()).status).toBe(201)
  })

  it('cannot use a nonce twice, before the jump and after it', async () => {
    const { alice, bob, instance } = await startWithMachineTime(clock)
    await bob.say(ROOM)
    const cipher = anyCipher()
    const vouching = alice.vouching(ROOM, cipher.ciphertext)
    const authorization = alice.authorization('POST', CLAIM)
    const post = () => alice.say(ROOM, cipher, vouching)
    const claim = () => alice.post(CLAIM, { handle: 'alice' }, { authorization })
    expect([(await post()).status, (await claim()).status]).toEqual([200, 200])
    expect([(await post()).status, (await claim()).status]).toEqual([401, 401])
    await instance.clock.advance(10 * MINUTE)
    expect([(await post()).status, (await claim()).status]).toEqual([401, 401])
  })

  it('is refused with a time that is fresh by neither clock', async () => {
    const { alice, instance } = await startWithMachineTime(clock)
    await instance.clock.advance(10 * MINUTE)
    for (const ts of [alice.now() - 2 * MINUTE, instance.clock.now() - 2 * MINUTE]) {
      expect((await alice.signed(CLAIM, {}, { ts })).status).toBe(401)
    }
  })

  it('does not affect clients that use the clock’s time', async () => {
    const { alice, instance } = await startWithMachineTime(clock)
    await instance.clock.advance(10 * MINUTE)
    expect((await alice.signed(CLAIM, {}, { ts: instance.clock.now() })).status).toBe(200)
  })
})
