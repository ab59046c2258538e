import { describe, expect, it } from 'vitest'
import { ack, claim, claimNow, say } from '../../support/clients/room.js'
import { call, ok, refused, textOf } from '../../support/servers/understudy.js'
import { workplace } from '../../support/workplace.js'

describe('a claimed task', () => {
  // fidelity safebot/tasks, same: A claim within the lease returns the same task and claim id. After 60,000
  // ms the same `seq` comes back under a new claim id.
  it('has the same claim for 60,000 ms, and then a new one', async () => {
    const { clock, boss, worker, url } = await workplace()
    await say(boss, url, 'work')
    const first = await claimNow(worker, url)
    await clock.advance(60_000)
    expect(await claimNow(worker, url)).toEqual(first)
    await clock.advance(1)
    const second = await claimNow(worker, url)
    expect(second).toMatchObject({ seq: first.seq, text: 'work' })
    expect(second.claimId).not.toBe(first.claimId)
  })

  // fidelity safebot/tasks, same: A lease is valid up to and including 60,000 ms. One millisecond later the
  // ack is refused.
  it('can be acknowledged for 60,000 ms, and not one millisecond longer', async () => {
    for (const [late, accepted] of [
      [60_000, true],
      [60_001, false],
    ] as const) {
      const { clock, boss, worker, url } = await workplace()
      await say(boss, url, 'work')
      const task = await claimNow(worker, url)
      await clock.advance(late)
      if (accepted) expect(await ack(worker, url, task)).toBe(true)
      else await refused(worker, 'ack_task', { url, claim_id: task.claimId, seq: task.seq })
    }
  })

  // fidelity safebot/tasks, same: A second claim does not extend the lease.
  it('has a lease that a second claim does not extend', async () => {
    const { clock, boss, worker, url } = await workplace()
    await say(boss, url, 'work')
    const first = await claimNow(worker, url)
    await clock.advance(50_000)
    await claimNow(worker, url)
    await clock.advance(10_001)
    expect((await claimNow(worker, url)).claimId).not.toBe(first.claimId)
  })

  it('that was delivered again cannot be acknowledged under its old claim, but under the new one', async () => {
    const { clock, boss, worker, url } = await workplace()
    await say(boss, url, 'work')
    const lost = await claimNow(worker, url)
    await clock.advance(60_001)
    const again = await claimNow(worker, url)
    expect(await refused(worker, 'ack_task', { url, claim_id: lost.claimId, seq: lost.seq })).toContain('409')
    expect(await ack(worker, url, again)).toBe(true)
    expect(await ack(worker, url, again)).toBe(false)
  })

  it('is delivered to another worker after its worker has crashed', async () => {
    const { safebot, clock, boss, worker, url } = await workplace()
    await say(boss, url, 'work')
    await claimNow(worker, url)
    await worker.close()
    await boss.close()
    await clock.advance(60_001)
    const successor = await safebot.connect({ handle: 'worker' })
    expect(await claimNow(successor, url)).toMatchObject({ text: 'work' })
  })

  // fidelity safebot/mcp, same: The text of `claim_task` has the message, the claim id, the seq and advice.
  it('has a text with the claim id and advice', async () => {
    const { boss, worker, url } = await workplace()
    const seq = await say(boss, url, 'work')
    const said = textOf(await call(worker, 'claim_task', { url }))
    expect(said).toMatch(
      new RegExp(
        `^\\[seq=${seq}\\] boss: work\\n\\n\\(claim_id=[0-9a-f-]{36} seq=${seq} — .*; claim expires in 60s and re-delivers if you never ack\\)`,
      ),
    )
  })
})

describe('tasks', () => {
  // fidelity safebot/mcp, same: The text of `ack_task` says when the ack changes nothing, and names the
  // cursor.
  it('arrive once each, in the order of sending', async () => {
    const { boss, worker, url } = await workplace()
    for (const text of ['a', 'b', 'c']) await say(boss, url, text)
    const got: (string | null)[] = []
    for (let count = 0; count < 3; count++) {
      const task = await claimNow(worker, url)
      got.push(task.text)
      expect(await ack(worker, url, task)).toBe(true)
    }
    expect(got).toEqual(['a', 'b', 'c'])
    expect(textOf(await call(worker, 'ack_task', { url, claim_id: 'x', seq: 1 }))).toMatch(
      /^ack ok — no change \(cursor already at \d+; /,
    )
  })

  // fidelity safebot/tasks, same: Handles are independent consumers. Each handle gets every message.
  it('are delivered to every handle, because handles are independent', async () => {
    const { safebot, boss, worker, url } = await workplace()
    const other = await safebot.connect({ handle: 'other' })
    await say(boss, url, 'for all')
    expect(await ack(worker, url, await claimNow(worker, url))).toBe(true)
    expect(await claimNow(other, url)).toMatchObject({ text: 'for all' })
  })

  // fidelity safebot/tasks, same: Two workers with one handle are one consumer. Both get the same claim, and
  // one ack advances.
  it('are shared by the workers of one handle', async () => {
    const { safebot, boss, worker, url } = await workplace()
    const twin = await safebot.connect({ handle: 'worker' })
    await say(boss, url, 'work')
    const task = await claimNow(worker, url)
    expect(await claimNow(twin, url)).toEqual(task)
    expect(await ack(twin, url, task)).toBe(true)
    expect(await ack(worker, url, task)).toBe(false)
  })

  // fidelity safebot/tasks, same: A new handle starts at the beginning of the buffer.
  it('are delivered to a new handle from the beginning of the buffer', async () => {
    const { safebot, clock, boss, url } = await workplace()
    await say(boss, url, 'old')
    await clock.advance(3600_000)
    expect(await claimNow(await safebot.connect({ handle: 'late' }), url)).toMatchObject({ text: 'old' })
  })

  it("are never an agent's own messages, under any label", async () => {
    const { boss, worker, url } = await workplace()
    await say(worker, url, 'as worker')
    await say(worker, url, 'as alias', 'alias')
    await say(worker, url, 'as alias two', 'alias2')
    await say(boss, url, 'from the boss')
    expect(await claimNow(worker, url)).toMatchObject({ text: 'from the boss' })
  })

  // fidelity safebot/tasks, same: The buffer of a room keeps 2000 messages. A consumer that falls behind goes
  // on with the oldest message in it.
  it('leave the buffer after 2000 newer ones, and an idle consumer continues with the oldest that is left', async () => {
    const { boss, worker, url } = await workplace()
    const first = await say(boss, url, 'first')
    const lost = await claimNow(worker, url)
    for (let count = 0; count < 2000; count++) await say(boss, url, `${count}`)
    const task = await claimNow(worker, url)
    expect([lost.seq, task.seq, task.text]).toEqual([first, first + 1, '0'])
    expect(await ack(worker, url, lost)).toBe(false)
  })

  // fidelity safebot/tasks, same: A message leaves the buffer after 24 hours.
  it('leave the buffer after 24 hours', async () => {
    const { clock, boss, worker, url } = await workplace()
    await say(boss, url, 'old')
    await clock.advance(24 * 3600_000)
    expect(await claim(worker, url, 1)).toMatchObject({ text: 'old' })
    await clock.advance(1)
    expect(await ok(boss, 'room_status', { url })).toMatchObject({ status: { recent_count: 0 } })
  })
})

describe('next_task', () => {
  // fidelity safebot/mcp, same: The text of `next_task` has the message, the label and the handle. The task
  // is already acknowledged.
  it('acknowledges at once: the task is not delivered again', async () => {
    const { clock, boss, worker, url } = await workplace()
    await say(boss, url, 'one')
    await say(boss, url, 'two')
    const said = textOf(await call(worker, 'next_task', { url }))
    expect(said).toMatch(/^\[seq=\d+\] boss: one\n\n\(listening in-room as "worker" via auth @worker; /)
    expect(said).not.toContain('warning')
    await clock.advance(120_000)
    expect(await ok(worker, 'next_task', { url })).toMatchObject({ task: { text: 'two' }, warning: null })
  })
})

describe('a room under the documented contract', () => {
  // fidelity safebot/tasks, same: An idle room is evicted 30 to 45 s after its last use.
  it('is evicted 30 to 45 s after its last use, if all tasks are acknowledged', async () => {
    const { safebot, clock, boss, worker, url } = await workplace()
    await say(boss, url, 'work')
    await ack(worker, url, await claimNow(worker, url))
    await boss.close()
    await worker.close()
    const watcher = await safebot.connect({ handle: 'watcher' })
    await clock.advance(30_000)
    expect(await ok(watcher, 'room_status', { url })).toMatchObject({ exists: true })
    await clock.advance(15_000)
    expect(await ok(watcher, 'room_status', { url })).toMatchObject({ exists: false })
  })

  // fidelity safebot/tasks, differs: A room with an unacknowledged message is evicted like any other. Here:
  // Under `documented` the room stays, because a worker must get its task again after a crash.
  it('is kept while the buffer has an unacknowledged message', async () => {
    const { safebot, clock, boss, worker, url } = await workplace()
    await say(boss, url, 'work')
    await claimNow(worker, url)
    await boss.close()
    await worker.close()
    const watcher = await safebot.connect({ handle: 'watcher' })
    await clock.advance(23 * 3600_000)
    expect(await ok(watcher, 'room_status', { url })).toMatchObject({ exists: true })
    await clock.advance(3600_000 + 45_000)
    expect(await ok(watcher, 'room_status', { url })).toMatchObject({ exists: false })
  })

  it('is kept while an agent is present in it', async () => {
    const { clock, boss, worker, url } = await workplace()
    await say(boss, url, 'work')
    await ack(worker, url, await claimNow(worker, url))
    await clock.advance(3600_000)
    expect(await ok(boss, 'room_status', { url })).toMatchObject({ exists: true })
  })

  // fidelity safebot/tasks, differs: A room that opens again takes its first `seq` from the time. Here: The
  // first `seq` is also above each known cursor of the room, because a lower one would hide new messages.
  it('loses no message after an eviction', async () => {
    const { clock, safebot, boss, worker, url } = await workplace()
    for (let count = 0; count < 100; count++) await say(boss, url, `${count}`)
    for (let count = 0; count < 100; count++) await ok(worker, 'next_task', { url })
    await boss.close()
    await worker.close()
    await clock.advance(45_000)
    const [again, successor] = [
      await safebot.connect({ handle: 'boss' }),
      await safebot.connect({ handle: 'worker' }),
    ]
    await say(again, url, 'after')
    expect(await claimNow(successor, url)).toMatchObject({ text: 'after' })
  })
})

describe('a room under the observed contract', () => {
  // fidelity safebot/tasks, same: Only under `observed`, a room with an unacknowledged task is evicted, and
  // the task is lost.
  it('is evicted although a task is unacknowledged, and the task is lost', async () => {
    const { safebot, clock, boss, worker, url } = await workplace({ contract: 'observed' })
    await say(boss, url, 'work')
    await claimNow(worker, url)
    await boss.close()
    await worker.close()
    await clock.advance(60_001)
    const successor = await safebot.connect({ handle: 'worker' })
    expect(await claim(successor, url, 1)).toBeUndefined()
  })

  it('does not let a claim wait before an agent has opened it', async () => {
    const { worker, url } = await workplace({ contract: 'observed' })
    expect(await claim(worker, url, 60)).toBeUndefined()
  })
})
