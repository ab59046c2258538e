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

describe('a request without an answer', () => {
  // fidelity safebot/mcp, same: A wait is repeated twice and another read three times, after 200, 500 and
  // 1000 ms.
  it.each([
    [2, [200, 500]],
    [3, [200, 500, 1_000]],
  ])('is repeated %i times, with a longer delay each time', async (times, waits) => {
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

  // fidelity safebot/mcp, differs: A read that keeps failing ends with `transient <status>`. Here: It ends
  // with the refusal of the service, so that the caller sees the reason.
  it('is not repeated if the answer would be the same, or its caller has hung up', async () => {
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

// fidelity safebot/mcp, differs: A repeated wait has its whole time again. Here: It has the rest of its time,
// because the caller has asked for one time-out.
it('a repeated wait has the rest of its time', async () => {
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

describe('an agent whose event stream breaks', () => {
  // fidelity safebot/mcp, same: A broken event stream opens again after 300 ms. The delay doubles up to 5 s.
  // fidelity safebot/mcp, differs: A call does not speed up a broken event stream. Here: A call that needs
  // the stream opens it at once, because it would miss messages otherwise.
  it('connects again after 300 ms, then after twice as long up to 5 s, and at once for a call', async () => {
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

  // fidelity safebot/mcp, differs: The delay of a broken stream is never reset. Here: It is 300 ms again
  // after the stream was open, so that a short break costs little.
  it('connects again after 300 ms each time if its stream was open', async () => {
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

  // fidelity safebot/mcp, differs: A call does not wait for the event stream. Here: It waits for at most 5 s,
  // so that the agent is present when it claims.
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

// fidelity safebot/mcp, differs: Signatures have the machine's time. Here: They have the service's time once
// a signature was refused, so that a clock that was moved can be used.
it('the time of a service is the machine’s until a correction', async () => {
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

// fidelity safebot/mcp, differs: The client waits for a service that never answers. Here: It gives up after
// 15 s, so that the caller gets an error. Calls that may wait on purpose are excepted.
it('a request without an answer fails after 15 s, unless it may wait', async () => {
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
