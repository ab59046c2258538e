import { expect, it } from 'vitest'
import { PublicKeys } from '../../../servers/safebot/domain/keys.js'
import { Signatures } from '../../../servers/safebot/domain/signatures.js'
import { SafebotStore } from '../../../servers/safebot/domain/store.js'
import { Clock } from '../../../shared/clock/clock.js'
import { MemoryRecords } from '../../../shared/records/memory-records.js'
import { SafebotAgent } from '../../support/clients/safebot-agent.js'

const START = Date.parse('2026-01-01T00:00:00Z')
const HOUR = 60 * 60_000
const TARGET = '/api/rooms/room-1/claim'

/** Signatures of alice, checked by a clock at {@link START} and a machine that is an hour ahead of it. */
function signatures(capacity: number | null = null) {
  const clock = new Clock({ mode: 'manual', start: START })
  const machine = new Clock({ mode: 'manual', start: START + HOUR })
  const store = new SafebotStore(new MemoryRecords())
  const signatures = new Signatures({ store, clock, machine, keys: new PublicKeys(), capacity })
  const alice = new SafebotAgent('', 'alice', () => machine.now())
  const { handle, boxPub, signPub } = alice
  const identity = { handle, boxPub, signPub, registeredAt: START, meta: {} }
  let nonces = 0
  const sign = (ts: number) => {
    const nonce = `nonce-of-request-${++nonces}`
    return { ts: String(ts), nonce, sig: alice.sign(`POST ${TARGET} ${ts} ${nonce}`) }
  }
  const covers = (signature: ReturnType<typeof sign>) =>
    signatures.verifyRequest(identity, signature, 'POST', TARGET)
  return { clock, machine, sign, covers }
}

it.each([
  ['the instance’s clock', START],
  ['the machine’s time', START + HOUR],
])('accepts a timestamp within 60 s of %s, and no other', async (_, now) => {
  const { sign, covers } = signatures()
  expect(await covers(sign(now - 60_000))).toBe(true)
  expect(await covers(sign(now + 60_000))).toBe(true)
  expect(await covers(sign(now - 60_001))).toBe(false)
  expect(await covers(sign(now + 60_001))).toBe(false)
})

// fidelity safebot/http, differs: The service remembers a nonce for 120 s. Here: A nonce is also remembered
// until both clocks have passed its time, so that no jump of the clock makes it good again.
it('refuses a nonce of the machine’s time again when the clock has reached that time', async () => {
  const { clock, machine, sign, covers } = signatures()
  const signature = sign(machine.now())
  expect(await covers(signature)).toBe(true)
  await machine.advance(HOUR)
  await clock.advance(HOUR)
  await covers(sign(clock.now()))
  expect(await covers(signature)).toBe(false)
})

it('refuses a nonce of the clock’s time again when the machine has reached that time', async () => {
  const { clock, machine, sign, covers } = signatures()
  await clock.advance(2 * HOUR)
  const signature = sign(clock.now())
  expect(await covers(signature)).toBe(true)
  await clock.advance(HOUR)
  await machine.advance(HOUR)
  await covers(sign(clock.now()))
  expect(await covers(signature)).toBe(false)
})

it('lets a handle sign as often as its contract allows in 120 s of the instance, by both times', async () => {
  const { clock, machine, sign, covers } = signatures(2)
  const signNow = () => covers(sign(machine.now()))
  expect([await signNow(), await signNow(), await signNow()]).toEqual([true, true, false])
  await clock.advance(120_000)
  expect([await signNow(), await signNow(), await signNow()]).toEqual([true, true, false])
})
