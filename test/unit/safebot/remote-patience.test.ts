import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { RemoteService } from '../../../servers/safebot/client/index.js'
import { Keyring } from '../../../servers/safebot/client/keyring.js'
import { Presences } from '../../../servers/safebot/client/presences.js'
import { withRetries } from '../../../servers/safebot/client/retry.js'
import { ServiceHttp } from '../../../servers/safebot/client/service-http.js'
import { ServiceTime } from '../../../servers/safebot/client/service-time.js'
import { ServiceRefusal } from '../../../servers/safebot/domain/refusals.js'
import { Clock } from '../../../shared/clock/clock.js'
import { Refusal } from '../../../shared/errors.js'
import { IdSource } from '../../../shared/ids.js'
import { silentLog } from '../../../shared/util/log.js'
import { fakeService } from '../../support/servers/fake-service.js'
import { until } from '../../support/until.js'

const NEVER = new AbortController().signal

describe('a question that could not be answered', () => {
  it.each([
    [2, [200, 500]],
    [3, [200, 500, 1_000]],
  ])('is asked again %i times, later each time', async (times, waits) => {
    const machine = new Clock({ mode: 'manual' })
    let asked = 0
    const asking = withRetries(machine, times, [NEVER], async () => {
      asked++
      throw new Refusal('unreachable', 'nobody there')
    })
    const refused = expect(asking).rejects.toMatchObject({ code: 'unreachable' })
    for (const [index, ms] of waits.entries()) {
      await machine.whenPending(1)
      expect(asked).toBe(index + 1)
      await machine.advance(ms - 1)
      expect(asked).toBe(index + 1)
      await machine.advance(1)
    }
    await refused
    expect(asked).toBe(times + 1)
  })

  it('is not asked again if the answer will be the same, or its asker has left', async () => {
    const machine = new Clock({ mode: 'manual' })
    const refuse = async () => {
      throw new ServiceRefusal(404, { error: 'no such room' }, '')
    }
    await expect(withRetries(machine, 3, [NEVER], refuse)).rejects.toMatchObject({ status: 404 })
    const leaver = new AbortController()
    const asking = withRetries(machine, 3, [leaver.signal], async () => {
      throw new ServiceRefusal(503, { error: 'busy' }, '')
    })
    await machine.whenPending(1)
    leaver.abort()
    await expect(asking).rejects.toMatchObject({ status: 503 })
    expect(machine.pending).toBe(0)
  })
})

it('a wait that is asked again has what is left of its time', async () => {
  const machine = new Clock({ mode: 'manual' })
  const asked: string[] = []
  const base = await fakeService((request, response) => {
    asked.push(request.url ?? '')
    if (asked.length > 2) response.end('{"messages":[],"last_seq":0}')
    else machine.advance(10_000).then(() => response.writeHead(503).end())
  })
  const ids = new IdSource('test')
  const service = new RemoteService(base, { machine, ids, keyring: new Keyring(ids), log: silentLog })
  const waiting = service.wait('ABCDEF', { after: 7, timeoutMs: 60_000, ifMissing: 'return' }, NEVER)
  for (const ms of [200, 500]) {
    await until(() => machine.pending === 1)
    await machine.advance(ms)
  }
  expect(await waiting).toMatchObject({ messages: [] })
  expect(asked.map(target => /timeout=(\d+)/.exec(target)?.[1])).toEqual(['60', '50', '40'])
})

describe('an agent whose event stream breaks off', () => {
  it('comes back after 300 ms, and after twice as long each time, up to 5 s; a call that needs it there brings it back at once', async () => {
    const machine = new Clock({ mode: 'manual' })
    let arrivals = 0
    const base = await fakeService((_, response) => {
      arrivals++
      response.writeHead(503).end()
    })
    const presences = new Presences(new ServiceHttp(base, machine), machine)
    const leave = presences.join('ABCDEF', { name: 'agent', boxPub: '' })
    const gone = async (count: number) => {
      await until(() => arrivals >= count && machine.pending === 1)
    }
    for (const [index, ms] of [300, 600, 1_200, 2_400, 4_800, 5_000, 5_000].entries()) {
      await gone(index + 1)
      await machine.advance(ms - 1)
      expect(arrivals).toBe(index + 1)
      await machine.advance(1)
    }
    await gone(8)
    await presences.awaitConnections('ABCDEF', NEVER)
    expect(arrivals).toBe(9)
    leave()
    expect(machine.pending).toBe(0)
  })

  it('comes back after 300 ms each time if it had been in the room', async () => {
    const machine = new Clock({ mode: 'manual' })
    let arrivals = 0
    const base = await fakeService((_, response) => {
      arrivals++
      response.end('data: {"type":"ready","roomId":"ABCDEF"}\n\n')
    })
    const presences = new Presences(new ServiceHttp(base, machine), machine)
    presences.join('ABCDEF')
    for (let count = 1; count < 5; count++) {
      await until(() => arrivals >= count && machine.pending === 1)
      await machine.advance(300)
    }
    presences.close()
  })

  it('delays a call by at most 5 s', async () => {
    const machine = new Clock({ mode: 'manual' })
    const base = await fakeService(() => undefined)
    const presences = new Presences(new ServiceHttp(base, machine), machine)
    presences.join('ABCDEF')
    const settled = presences.awaitConnections('ABCDEF', NEVER)
    await machine.whenPending(1)
    await machine.advance(5_000)
    await settled
    presences.close()
  })
})

it('a service’s time is the machine’s until it turns out to be another', async () => {
  const machine = new Clock({ mode: 'manual', start: 1_000_000 })
  let theirs = 5_000_000
  const time = new ServiceTime(machine, async () => theirs)
  expect(time.now()).toBe(1_000_000)
  expect(await time.synchronize(1_000_000)).toBe(true)
  await machine.advance(10)
  expect(time.now()).toBe(5_000_010)
  expect(await time.synchronize(time.now())).toBe(false)
  theirs += 3600_000
  expect(await time.synchronize(time.now())).toBe(true)
})

it('a service that does not answer is given up after 15 s, and one that may park is not', async () => {
  const machine = new Clock({ mode: 'manual' })
  const base = await fakeService(() => undefined)
  const http = new ServiceHttp(base, machine)
  const answer = z.unknown()
  const asking = http.send({ method: 'GET', target: '/', answer })
  const leaver = new AbortController()
  const parked = http.send({ method: 'GET', target: '/', answer, signal: leaver.signal })
  expect(machine.pending).toBe(1)
  const refused = expect(asking).rejects.toMatchObject({
    code: 'no_answer',
    reason: `${base} has not answered in 15 s`,
  })
  await machine.advance(15_000)
  await refused
  leaver.abort()
  await expect(parked).rejects.toMatchObject({ code: 'cancelled' })
})
