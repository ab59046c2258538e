import { describe, expect, it } from 'vitest'
import { HttpStream } from '../../support/clients/http-stream.js'
import { rpc, send } from '../../support/clients/raw-http.js'
import { ack, claim, claimNow, createRoom, say } from '../../support/clients/room.js'
import { call, ok, startUnderstudy, textOf } from '../../support/servers/understudy.js'
import { until } from '../../support/until.js'
import { workplace } from '../../support/workplace.js'

describe('a parked claim', () => {
  // fidelity safebot/mcp, differs: A claim opens its room by the presence of the agent. Here: Under
  // `documented` a claim waits in a room that no agent has opened, because waiting creates no room there.
  it('wakes with the first message in a room that no agent had opened', async () => {
    const { clock, boss, worker, url } = await workplace()
    const claiming = claim(worker, url, 60)
    await clock.whenPending(1)
    await say(boss, url, 'work')
    expect(await claiming).toMatchObject({ text: 'work' })
    expect(clock.pending).toBe(0)
  })

  // fidelity safebot/mcp, same: The text of an empty claim has the seconds it waited, the label, the handle
  // and the cursor.
  it('ends empty at its time-out, and not a millisecond before', async () => {
    const { clock, worker, url } = await workplace()
    let ended = false
    const calling = call(worker, 'claim_task', { url, timeout_seconds: 90 }).finally(() => {
      ended = true
    })
    await clock.whenPending(1)
    await clock.advance(89_999)
    expect(ended).toBe(false)
    await clock.advance(1)
    expect(textOf(await calling)).toMatch(
      /^\(no new messages — blocked 90s as "worker" via auth @worker, cursor=0; call claim_task again to keep listening\)/,
    )
  })

  // fidelity safebot/tasks, differs: A message of the agent's own ends a waiting claim early. Here: Under
  // `documented` the claim goes on waiting, because that message is no task for the agent.
  it('continues to wait after a message of the agent’s own', async () => {
    const { clock, safebot, boss, worker, url } = await workplace()
    const twin = await safebot.connect({ handle: 'worker' })
    const claiming = claim(worker, url, 60)
    await clock.whenPending(1)
    await say(twin, url, 'my own')
    await clock.whenPending(1)
    await clock.advance(30_000)
    await say(boss, url, 'work')
    expect(await claiming).toMatchObject({ text: 'work' })
  })

  // fidelity safebot/tasks, same: Only under `observed`, a message of the agent's own ends a waiting claim
  // early.
  it('ends early after a message of the agent’s own under the observed contract', async () => {
    const { clock, safebot, boss, worker, url } = await workplace({ contract: 'observed' })
    const twin = await safebot.connect({ handle: 'worker' })
    await say(boss, url, 'first')
    await ack(worker, url, await claimNow(worker, url))
    const claiming = claim(worker, url, 60)
    await clock.whenPending(1)
    await say(twin, url, 'my own')
    expect(await claiming).toBeUndefined()
  })

  it('can be one of many of its handle: a message gives all of them the same claim', async () => {
    const { clock, safebot, boss, worker, url } = await workplace()
    const twin = await safebot.connect({ handle: 'worker' })
    const claims = [claim(worker, url), claim(twin, url)]
    await clock.whenPending(2)
    await say(boss, url, 'work')
    const [one, other] = await Promise.all(claims)
    expect(one).toBeDefined()
    expect(other).toEqual(one)
  })

  it('reports progress every ten seconds to a caller that requested it, and to no other', async () => {
    const { clock, boss, worker, url } = await workplace()
    const reports: number[] = []
    const calling = call(
      worker,
      'claim_task',
      { url },
      { onprogress: ({ progress }) => reports.push(progress) },
    )
    await clock.whenPending(2)
    await clock.advance(25_000)
    await say(boss, url, 'work')
    await calling
    expect(reports).toEqual([0, 10, 20])
    expect(clock.pending).toBe(0)
  })

  it('is answered when the server stops', async () => {
    const understudy = await startUnderstudy()
    const worker = await understudy.safebot.connect({ handle: 'worker' })
    const calling = call(worker, 'claim_task', { url: await createRoom(worker) })
    await understudy.clock.whenPending(1)
    await understudy.close()
    expect(textOf(await calling)).toMatch(/^claim_task failed: the server is shutting down/)
  })
})

describe('a call parked over HTTP', () => {
  it.each(['application/json', 'text/event-stream'])(
    'is answered when the server stops (%s)',
    async accept => {
      const understudy = await startUnderstudy()
      const url = await createRoom(await understudy.safebot.connect({ handle: 'boss' }))
      const body = rpc('tools/call', { name: 'next_task', arguments: { url } })
      const answer = send(understudy.safebot.mcpUrl, { body, headers: { accept } })
      await understudy.clock.whenPending(1)
      await understudy.close()
      expect((await answer).body).toContain('next_task failed: the server is shutting down')
    },
  )
})

describe('a cancelled call', () => {
  // fidelity safebot/mcp, differs: A cancelled `next_task` claims and acknowledges later, and the message is
  // lost. Here: Under `documented` it claims nothing, because no caller would get the task.
  it.each(['next_task', 'claim_task', 'wait_for_messages'])(
    '%s claims nothing for the caller that left',
    async tool => {
      const { clock, boss, worker, url, journal } = await workplace()
      const controller = new AbortController()
      const calling = call(worker, tool, { url }, { signal: controller.signal })
      await clock.whenPending(1)
      controller.abort()
      await expect(calling).rejects.toThrow()
      await say(boss, url, 'work')
      expect(clock.pending).toBe(0)
      expect(journal.entries({ tool })).toMatchObject([{ outcome: 'aborted' }])
      const task = await claimNow(worker, url)
      expect(task.text).toBe('work')
      expect(await ack(worker, url, task)).toBe(true)
    },
  )

  it('next_task claims nothing for a caller whose connection dropped', async () => {
    const { clock, safebot, boss, worker, url, journal } = await workplace()
    const body = rpc('tools/call', { name: 'next_task', arguments: { url } })
    const stream = HttpStream.open(
      safebot.mcpUrl,
      'POST',
      { 'x-safebot-handle': 'worker' },
      body,
      request => {
        void clock.whenPending(1).then(() => request.destroy())
      },
    )
    await expect(stream).rejects.toThrow()
    await until(() => journal.entries({ tool: 'next_task', outcome: 'aborted' }).length === 1)
    await say(boss, url, 'work')
    expect(await claimNow(worker, url)).toMatchObject({ text: 'work' })
  })

  it('next_task can be parked by many at once under the observed contract, without a warning', async () => {
    const { clock, boss, worker, url } = await workplace({ contract: 'observed' })
    const warnings: Error[] = []
    const note = (warning: Error) => warnings.push(warning)
    process.on('warning', note)
    await say(boss, url, 'first')
    await ok(worker, 'next_task', { url })
    const calls = Array.from({ length: 20 }, () => call(worker, 'next_task', { url, timeout_seconds: 1 }))
    await clock.whenPending(20)
    await clock.advance(1_000)
    await Promise.all(calls)
    process.off('warning', note)
    expect(warnings).toEqual([])
  })

  // fidelity safebot/mcp, same: Only under `observed`, a cancelled `next_task` loses the next message.
  it('next_task loses the message under the observed contract', async () => {
    const { clock, boss, worker, url } = await workplace({ contract: 'observed' })
    await say(boss, url, 'first')
    await ok(worker, 'next_task', { url })
    const controller = new AbortController()
    const calling = call(worker, 'next_task', { url }, { signal: controller.signal })
    await clock.whenPending(1)
    controller.abort()
    await expect(calling).rejects.toThrow()
    await say(boss, url, 'lost')
    await say(boss, url, 'next')
    expect(await claimNow(worker, url)).toMatchObject({ text: 'next' })
  })
})

describe('wait_for_messages', () => {
  // fidelity safebot/mcp, same: The text of `wait_for_messages` has a line for each message, then the seq to
  // go on with.
  it('returns at once with the messages after after_seq', async () => {
    const { boss, worker, url } = await workplace()
    const seq = await say(boss, url, 'one')
    await say(boss, url, 'two')
    expect(textOf(await call(worker, 'wait_for_messages', { url, after_seq: seq }))).toBe(
      `[seq=${seq + 1}] boss: two\n\n(last_seq=${seq + 1} — pass this as next after_seq)\n\n` +
        `(active room set to ${/room\/(.{6})/.exec(url)?.[1]} — stay with it until you are asked to change rooms)`,
    )
  })

  // fidelity safebot/mcp, same: The `last_seq` of `wait_for_messages` also counts hidden messages of the
  // agent's own.
  // fidelity safebot/mcp, differs: A message of the agent's own ends `wait_for_messages`. Here: Under
  // `documented` the wait goes on, because the caller has asked for messages of others.
  it('skips messages of the agent’s own, and counts them in last_seq', async () => {
    const { clock, boss, worker, url } = await workplace()
    const own = await say(worker, url, 'my own')
    const waiting = ok(worker, 'wait_for_messages', { url, timeout_seconds: 20 })
    await clock.whenPending(1)
    await clock.advance(10_000)
    await say(boss, url, 'hello')
    expect(await waiting).toMatchObject({ messages: [{ text: 'hello' }], last_seq: own + 1 })
  })

  // fidelity safebot/mcp, same: `wait_for_messages` hides only messages under the present label of the agent.
  it('shows messages that the agent has sent under an earlier label', async () => {
    const { worker, url } = await workplace()
    await say(worker, url, 'as worker')
    await say(worker, url, 'as Walter', 'Walter')
    expect(await ok(worker, 'wait_for_messages', { url })).toMatchObject({
      messages: [{ text: 'as worker' }],
    })
  })

  it('shows its own messages when asked to', async () => {
    const { worker, url } = await workplace()
    await say(worker, url, 'my own')
    expect(await ok(worker, 'wait_for_messages', { url, include_self: true })).toMatchObject({
      messages: [{ text: 'my own' }],
    })
  })

  // fidelity safebot/mcp, same: The text of an empty wait has the seconds it waited and the last seq of the
  // server.
  it('reports how long it waited without a message, and where to continue', async () => {
    const { clock, worker, url } = await workplace()
    const seq = await say(worker, url, 'my own')
    const calling = call(worker, 'wait_for_messages', { url, timeout_seconds: 5 })
    await clock.whenPending(1)
    await clock.advance(5_000)
    expect(textOf(await calling)).toBe(
      `(no new messages — timed out after 5s, latest server seq ${seq})\n\n(last_seq=${seq} — pass this as next after_seq)`,
    )
  })

  it('does not claim: the same message can be claimed afterwards', async () => {
    const { boss, worker, url } = await workplace()
    await say(boss, url, 'work')
    await ok(worker, 'wait_for_messages', { url })
    expect(await claimNow(worker, url)).toMatchObject({ text: 'work' })
  })

  // fidelity safebot/mcp, same: The `name` of `wait_for_messages` renames the agent.
  it('renames the agent if it has a name', async () => {
    const { boss, worker, url } = await workplace()
    await say(boss, url, 'hi')
    await ok(worker, 'wait_for_messages', { url, name: 'Walter' })
    expect(textOf(await call(worker, 'send_message', { url, text: 'hi' }))).toContain('sent as "Walter"')
  })
})
