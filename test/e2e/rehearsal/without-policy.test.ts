import { describe, expect, it } from 'vitest'
import { rehearse, reportText } from '../../../servers/rehearsal/index.js'
import { COMMAND, Command } from '../../support/clients/command.js'
import { temporaryFile, wrongOf } from '../../support/gateway/rehearse.js'
import { type ScriptedCall, type ScriptedDenial, scripted } from '../../support/gateway/scripted.js'

const STATUS = { call: 'room_status', args: { url: '$room' } }
const DENIED = { result: { content: [{ type: 'text', text: 'no' }], isError: true } }

async function scenario(steps: unknown[], more: object = {}): Promise<string> {
  return temporaryFile('scenario.yaml', JSON.stringify({ steps, ...more }))
}

/** Counts calls in windows that begin with the first call of each caller. */
function fixedWindow(max: number, windowMs: number) {
  const windows = new Map<string, { begun: number; calls: number }>()
  return ({ grant, atMs }: ScriptedCall): ScriptedDenial | undefined => {
    const window = windows.get(grant)
    const current =
      window === undefined || atMs >= window.begun + windowMs ? { begun: atMs, calls: 0 } : window
    windows.set(grant, current)
    if (current.calls >= max) return DENIED
    current.calls += 1
    return undefined
  }
}

/** Refills a bucket of each caller continuously. */
function bucket(max: number, refillMs: number) {
  const buckets = new Map<string, { at: number; tokens: number }>()
  return ({ grant, atMs }: ScriptedCall): ScriptedDenial | undefined => {
    const { at, tokens } = buckets.get(grant) ?? { at: atMs, tokens: max }
    const left = Math.min(max, tokens + ((atMs - at) * max) / refillMs)
    buckets.set(grant, { at: atMs, tokens: left >= 1 ? left - 1 : left })
    return left >= 1 ? undefined : DENIED
  }
}

describe('a scenario without a policy', () => {
  const steps = [
    { ...STATUS, expect: 'allow' },
    { call: 'create_room', expect: 'deny' },
    { list: 'safebot', hides: ['create_room'] },
  ]
  const shut = (call: ScriptedCall) => (call.tool === 'create_room' ? DENIED : undefined)

  it('uses the expectations of its calls', async () => {
    const file = await scenario(steps)
    const rehearsal = await rehearse({
      scenario: file,
      via: scripted({ deny: shut, hides: tool => tool === 'create_room' }),
    })
    expect(wrongOf(rehearsal)).toEqual([])
    expect(rehearsal).toMatchObject({ ok: true, policy: null, counts: { ok: 3, wrong: 0, unchecked: 0 } })
    expect(reportText(rehearsal)).toMatch(
      /^.*scenario\.yaml in front of safebot, through a scripted gateway\n/,
    )
    expect(reportText(rehearsal)).toMatch(
      / the scenario says .*\n.* room_status +allow +a result +reached +ok\n/,
    )
  })

  it('finds a rule that the gateway lacks', async () => {
    const rehearsal = await rehearse({ scenario: await scenario(steps), via: scripted({}) })
    expect(wrongOf(rehearsal)).toEqual([
      'create_room: must be denied, but it reached the upstream',
      'tools/list of safebot: shows create_room, which is hidden',
    ])
  })

  it('finds a rule that the gateway should not have, with the text of its denial', async () => {
    const file = await scenario([{ ...STATUS, expect: 'allow' }])
    const rehearsal = await rehearse({ scenario: file, via: scripted({ deny: () => DENIED }) })
    expect(wrongOf(rehearsal)).toEqual([
      'room_status: is allowed, but it did not reach the upstream: denied: a tool error, which says "no"',
    ])
  })

  it.each([
    ['unknown to all', 'claim_task'],
    ['of the other server', 'create_postgres'],
  ])('judges a tool that is %s by its expectation alone', async (_, call) => {
    const file = await scenario([{ call, args: { url: '$room' }, expect: 'deny' }], { server: 'safebot' })
    const rehearsal = await rehearse({ scenario: file, via: scripted({ deny: () => DENIED }) })
    expect(rehearsal.counts).toEqual({ ok: 1, wrong: 0, unchecked: 0 })
  })

  it('judges each call of a batch', async () => {
    const batch = [
      { ...STATUS, expect: 'allow' },
      { call: 'create_room', expect: 'deny' },
    ]
    const via = { deny: shut }
    const good = await rehearse({ scenario: await scenario([{ batch }]), via: scripted(via) })
    expect(wrongOf(good)).toEqual([])
    const bad = await rehearse({ scenario: await scenario([{ batch }]), via: scripted({}) })
    expect(wrongOf(bad)).toEqual([
      'a batch: room_status, create_room: call 2 ("create_room") must be denied, but it reached the upstream',
    ])
  })
})

describe('the limit of a scenario', () => {
  const limited = (kind: string, times: number) => ({
    ...STATUS,
    times,
    limit: { calls: 6, per: '60s', kind },
  })
  const marks = ({ rows }: Awaited<ReturnType<typeof rehearse>>) => rows.map(({ mark }) => mark)

  it('can be a window: a number of calls, then none until it ends', async () => {
    const steps = [
      limited('window', 8),
      { advance: '30s' },
      limited('window', 1),
      { advance: '31s' },
      limited('window', 7),
    ]
    const via = scripted({ deny: fixedWindow(6, 60_000) })
    const rehearsal = await rehearse({ scenario: await scenario(steps), via })
    expect(wrongOf(rehearsal)).toEqual([])
    expect(rehearsal.rows[0]).toMatchObject({
      expected: 'allow × 6, deny: the limit of 6 per minute × 2',
      saw: 'a result × 6, denied: a tool error × 2',
    })
    expect(marks(rehearsal)).toEqual(['ok', 'ok', 'ok'])
  })

  it('can be a bucket: a number of calls at once, then one for each part of the refill', async () => {
    const steps = [
      limited('bucket', 8),
      { advance: '10s' },
      limited('bucket', 2),
      { advance: '25s' },
      limited('bucket', 4),
    ]
    const via = scripted({ deny: bucket(6, 60_000) })
    const rehearsal = await rehearse({ scenario: await scenario(steps), via })
    expect(wrongOf(rehearsal)).toEqual([])
    expect(rehearsal.rows.map(({ expected }) => expected)).toEqual([
      'allow × 6, deny: the limit of 6 per minute, as a bucket × 2',
      'allow, deny: the limit of 6 per minute, as a bucket',
      'allow × 2, deny: the limit of 6 per minute, as a bucket × 2',
    ])
    expect(marks(rehearsal)).toEqual(['ok', 'ok', 'ok'])
  })

  it.each([
    [
      'one too high',
      'window',
      fixedWindow(7, 60_000),
      'call 7 is denied by the limit of 6 per minute, but it reached the upstream',
    ],
    [
      'one too low',
      'window',
      fixedWindow(5, 60_000),
      'call 6 is allowed, but it did not reach the upstream: denied: a tool error, which says "no"',
    ],
    [
      'one too high',
      'bucket',
      bucket(7, 60_000),
      'call 7 is denied by the limit of 6 per minute, as a bucket, but it reached the upstream',
    ],
    [
      'missing',
      'bucket',
      () => undefined,
      'call 7 is denied by the limit of 6 per minute, as a bucket, but it reached the upstream',
    ],
  ])('finds a gateway whose limit is %s, as a %s', async (_, kind, deny, why) => {
    const file = await scenario([limited(kind, 8)])
    const rehearsal = await rehearse({ scenario: file, via: scripted({ deny }) })
    expect(wrongOf(rehearsal)).toEqual([`room_status × 8: ${why}`])
  })

  it('distinguishes a window from a bucket when time has passed', async () => {
    const steps = (kind: string) => [limited(kind, 7), { advance: '20s' }, limited(kind, 1)]
    const asBucket = await rehearse({
      scenario: await scenario(steps('bucket')),
      via: scripted({ deny: fixedWindow(6, 60_000) }),
    })
    expect(wrongOf(asBucket)).toEqual([
      'room_status: is allowed, but it did not reach the upstream: denied: a tool error, which says "no"',
    ])
  })

  it('is not checked if no call was certainly denied', async () => {
    // Gateways differ on whether a call that fails at the upstream costs quota.
    const failing = { ...limited('bucket', 8), args: { url: 'no room' } }
    const rehearsal = await rehearse({ scenario: await scenario([failing]), via: scripted({}) })
    expect(rehearsal.rows).toMatchObject([
      {
        mark: 'unchecked',
        why: expect.stringMatching(/^no denial was certain, because .* run the rehearsal again/),
      },
    ])
    expect(rehearsal.ok).toBe(false)
  })

  it('counts the calls of each caller separately', async () => {
    const steps = [limited('window', 7), { ...limited('window', 7), as: 'reviewer' }]
    const via = scripted({ deny: fixedWindow(6, 60_000) })
    expect(wrongOf(await rehearse({ scenario: await scenario(steps), via }))).toEqual([])
  })

  it('is also compared with a policy', async () => {
    const policy = await temporaryFile(
      'policy.yaml',
      'version: "1"\ndefault: deny\ntools:\n  room_status: { rules: [{ name: burst, rate_limit: 7/minute }] }\n',
    )
    const rehearsal = await rehearse({ policy, scenario: await scenario([limited('window', 8)]) })
    expect(wrongOf(rehearsal)).toEqual([
      'room_status × 8: call 7 the scenario expects deny (the limit of 6 per minute), and the policy says allow',
    ])
  })
})

describe('understudy rehearse --scenario', () => {
  it('needs no policy if the gateway is given', async () => {
    const file = await scenario([
      { ...STATUS, expect: 'allow' },
      { call: 'create_room', expect: 'deny' },
    ])
    const policy = await temporaryFile(
      'policy.yaml',
      'version: "1"\ndefault: deny\ntools: { room_status: { rules: [] } }\n',
    )
    const gateway = [
      process.execPath,
      COMMAND,
      'gateway',
      policy,
      '--upstream',
      '{upstream}',
      '--port',
      '{port}',
    ]
    const { code, stdout } = await new Command([
      'rehearse',
      '--scenario',
      file,
      '--watch',
      '0',
      '--',
      ...gateway,
    ]).exit
    expect(stdout).toContain('2 rows: 2 ok, 0 wrong, 0 not checked')
    expect(code).toBe(0)
  })

  it.each([
    [
      [],
      'there is no policy that the builtin gateway could enforce: name a policy, or name the gateway to test',
    ],
    [['--', 'my-gateway', '{policy}'], '{policy} in the command has no value: name a policy'],
    [['--via', 'http://127.0.0.1:9/mcp', '--tools', 'inst-'], '--tools is "inst-", without {tool}'],
    [['--via', 'http://127.0.0.1:9/mcp', '--tools', '{tol}'], '--tools is "{tol}", with {tol}'],
  ])('exits 2 for %j', async (args, why) => {
    const file = await scenario([{ ...STATUS, expect: 'allow' }])
    const { code, stderr } = await new Command(['rehearse', '--scenario', file, ...args]).exit
    expect(stderr).toContain(why)
    expect(code).toBe(2)
  })
})
