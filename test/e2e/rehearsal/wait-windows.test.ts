import { describe, expect, it, onTestFinished } from 'vitest'
import { createEngine } from '../../../servers/gateway/policy/engine.js'
import type { Policy } from '../../../servers/gateway/policy/model.js'
import { readPolicy } from '../../../servers/gateway/policy/read-policy.js'
import type { Row } from '../../../servers/rehearsal/index.js'
import { plan } from '../../../servers/rehearsal/plan/plan.js'
import { one, type Planned, repeated } from '../../../servers/rehearsal/plan/step.js'
import { run } from '../../../servers/rehearsal/run.js'
import { SecretsSeen } from '../../../servers/rehearsal/secrets-seen.js'
import { Stage } from '../../../servers/rehearsal/stage/stage.js'
import { builtin } from '../../../servers/rehearsal/via/builtin-gateway.js'

const DECOY = 'export_account'
const MAX_CALLS = 3
const WAIT_MS = 70_000
const TIMEOUT_MS = 600_000
const BEHIND_TIME = /needs the end of a window.* --wait-windows 70s/

function limited(window: 'minute' | 'hour'): Policy {
  const limits = [{ counter: 'calls', window, max: MAX_CALLS, scope: 'grant' }]
  return readPolicy(
    JSON.stringify({ version: '1', default: 'deny', tools: { room_status: { limits } } }),
    'p.json',
  ).policy
}

interface OwnTime {
  window?: 'minute' | 'hour'
  waitWindowsMs?: number
  /** Default: the policy that is rehearsed. */
  enforced?: Policy
  /** Default: the rows of the limit. */
  planned?: Planned[]
  /** Milliseconds that pass in the middle of the first call. */
  firstCallMs?: number
  /** True: the rehearsal's time is over after the first call. */
  timedOut?: boolean
}

/**
 * Rehearses a limit through a gateway that keeps its own time.
 *
 * The gateway goes by the stage's clock, which stands still but for the pauses of the rehearsal. So the test sees each
 * wait and takes no time.
 *
 * @returns the rows of the limit, and the waits that took a second or more, in milliseconds
 */
async function rehearsed({
  window = 'minute',
  waitWindowsMs = 0,
  enforced = limited(window),
  planned,
  firstCallMs = 0,
  timedOut = false,
}: OwnTime): Promise<{ rows: Row[]; waits: number[] }> {
  const policy = limited(window)
  const stage = await Stage.open({ servers: ['safebot'], decoy: DECOY })
  onTestFinished(() => stage.close())
  const { clock } = stage
  const waits: number[] = []
  stage.pause = async ms => {
    if (ms >= 1000) waits.push(ms)
    await clock.advance(ms)
    // Requests that are on their way arrive.
    await new Promise(resolve => setImmediate(resolve))
  }
  const way = { ...(await builtin(enforced)(stage, ['agent', 'other'])), advances: false }
  onTestFinished(() => way.close())
  if (firstCallMs > 0 || timedOut) {
    const caller = await way.caller('safebot', 'agent')
    const ask = caller.ask.bind(caller)
    caller.ask = (method, params) => {
      caller.ask = ask
      const { id, answer } = ask(method, params)
      return {
        id,
        answer: answer.finally(() =>
          timedOut ? stage.machine.advance(TIMEOUT_MS) : clock.advance(firstCallMs),
        ),
      }
    }
  }
  const planning = {
    policy,
    servers: stage.servers,
    decoy: DECOY,
    sessions: true,
    approves: true,
    advances: false,
    bridged: false,
    examples: await stage.examples(),
    start: clock.now(),
  }
  const limit = async () =>
    (await plan(planning)).filter(({ title }) => title.includes(`: ${MAX_CALLS} per ${window}`))
  const { rows } = await run(planned ?? (await limit()), {
    stage,
    way,
    policy,
    engine: createEngine(policy, clock),
    now: () => clock.now(),
    secrets: new SecretsSeen(),
    watchMs: 0,
    waitWindowsMs,
    timeoutMs: TIMEOUT_MS,
    off: new Set<string>(),
  })
  return { rows, waits }
}

function row(rows: readonly Row[], step: string): Row | undefined {
  return rows.find(row => row.step.includes(step))
}

describe('--wait-windows', () => {
  it('waits for the end of a window, and checks the rows behind it', async () => {
    const { rows, waits } = await rehearsed({ waitWindowsMs: WAIT_MS })
    expect(rows.filter(({ mark }) => mark !== 'ok')).toEqual([])
    expect(row(rows, 'shortly before')).toMatchObject({ upstream: 'not reached' })
    expect(row(rows, 'once the minute is over')).toMatchObject({ expected: 'allow', upstream: 'reached' })
    expect(waits.reduce((sum, ms) => sum + ms, 0)).toBeGreaterThan(55_000)
  })

  it('reports a window that has not ended by then as wrong', async () => {
    const { rows } = await rehearsed({ waitWindowsMs: WAIT_MS, enforced: limited('hour') })
    expect(row(rows, 'once the minute is over')).toMatchObject({
      mark: 'wrong',
      why: expect.stringContaining('is allowed, but it did not reach the upstream'),
    })
  })

  it('does not wait if the wait is longer than allowed', async () => {
    const { rows, waits } = await rehearsed({ window: 'hour', waitWindowsMs: WAIT_MS })
    expect(row(rows, 'one more')).toMatchObject({ mark: 'ok' })
    for (const step of ['shortly before', 'once the hour is over'])
      expect(row(rows, step)).toMatchObject({ mark: 'unchecked', why: expect.stringMatching(BEHIND_TIME) })
    expect(waits).toEqual([])
  })

  it('is needed for a wait', async () => {
    const { rows, waits } = await rehearsed({})
    expect(row(rows, 'once the minute is over')).toMatchObject({ mark: 'unchecked' })
    expect(waits).toEqual([])
  })
})

describe('a window that ends in the middle of a call', () => {
  const call = { tool: 'room_status', args: { url: '$room' }, as: 'agent' }
  const planned = [{ title: 'calls', fresh: false, steps: [one(call), one(call)] }]

  it('leaves that call unchecked, and the rehearsal waits if the window is a minute', async () => {
    const { rows, waits } = await rehearsed({ planned, firstCallMs: 60_000 })
    expect(rows.map(({ mark }) => mark)).toEqual(['unchecked', 'ok'])
    expect(waits.length).toBe(1)
  })

  it('leaves further calls unchecked if the window is an hour', async () => {
    const { rows, waits } = await rehearsed({ window: 'hour', planned, firstCallMs: 3_600_000 })
    expect(rows.map(({ mark }) => mark)).toEqual(['unchecked', 'unchecked'])
    expect(waits).toEqual([])
  })
})

it('a rehearsal ends in the middle of a step when the time of --timeout is over', async () => {
  const call = { tool: 'room_status', args: { url: '$room' }, as: 'agent' }
  const { rows } = await rehearsed({
    planned: [{ title: 'calls', fresh: false, steps: [repeated(call, 5)] }],
    timedOut: true,
  })
  expect(rows).toMatchObject([{ mark: 'unchecked', why: '--timeout ended the rehearsal after 600 s' }])
  expect(rows[0]?.upstream).toContain('1')
})
