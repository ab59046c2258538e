import { describe, expect, it } from 'vitest'
import { LimitHistory, type Verdict } from '../../../servers/rehearsal/expectations.js'

const PER = 60_000
const TOLERANCE = 10

/** Makes calls that take 20 ms each, and lets each pass that is not denied for certain. */
function verdicts(kind: 'window' | 'bucket', sentAt: readonly number[], max = 3): Verdict[] {
  const history = new LimitHistory(TOLERANCE)
  return sentAt.map(sent => {
    const answered = sent + 20
    const verdict = history.verdict({ calls: max, per: PER, kind }, sent, answered)
    history.add({ sent, answered, outcome: verdict === 'deny' ? 'denied' : 'passed' })
    return verdict
  })
}

describe('a window', () => {
  it('allows a number of calls, and denies the others until it ends', () => {
    expect(verdicts('window', [1000, 2000, 3000, 4000, 30_000])).toEqual([
      'allow',
      'allow',
      'allow',
      'deny',
      'deny',
    ])
  })

  it('allows as many again when no window can have counted the earlier ones', () => {
    expect(verdicts('window', [1000, 2000, 3000, 64_000])).toEqual(['allow', 'allow', 'allow', 'allow'])
  })

  it('is uncertain when a window of the UTC calendar has ended', () => {
    expect(verdicts('window', [58_000, 58_500, 59_000, 59_500, 60_500])).toEqual([
      'allow',
      'allow',
      'allow',
      'deny',
      'either',
    ])
  })

  it('is uncertain when a window that began with the first call has ended', () => {
    expect(verdicts('window', [1000, 50_000, 59_000, 61_500])).toEqual(['allow', 'allow', 'allow', 'allow'])
    expect(verdicts('window', [1000, 50_000, 59_000, 61_500, 62_000])).toContain('either')
  })
})

describe('a bucket', () => {
  it('allows a number of calls at once, and then one for each part of the refill', () => {
    expect(verdicts('bucket', [1000, 1100, 1200, 1300, 22_000, 23_000])).toEqual([
      'allow',
      'allow',
      'allow',
      'deny',
      'allow',
      'deny',
    ])
  })

  it('is uncertain at the moment in which a token arrives', () => {
    // The token of 20 s after 1,000 ms arrives while the call is under way.
    expect(verdicts('bucket', [1000, 1100, 1200, 20_990])[3]).toBe('either')
  })

  it('holds no more than its capacity', () => {
    expect(verdicts('bucket', [0, 600_000, 600_100, 600_200, 600_300])).toEqual([
      'allow',
      'allow',
      'allow',
      'allow',
      'deny',
    ])
  })

  it('has less than one token when it denies a call', () => {
    const history = new LimitHistory(TOLERANCE)
    const limit = { calls: 3, per: PER, kind: 'bucket' } as const
    history.add({ sent: 0, answered: 20, outcome: 'failed' })
    history.add({ sent: 100, answered: 120, outcome: 'failed' })
    history.add({ sent: 200, answered: 220, outcome: 'passed' })
    history.add({ sent: 300, answered: 320, outcome: 'denied' })
    history.add({ sent: 5000, answered: 5020, outcome: 'passed' })
    expect(history.verdict(limit, 5100, 5120)).toBe('deny')
  })

  it('that holds one call is full again after its refill', () => {
    const history = new LimitHistory(TOLERANCE)
    const limit = { calls: 1, per: PER, kind: 'bucket' } as const
    history.add({ sent: 0, answered: 2000, outcome: 'passed' })
    expect(history.verdict(limit, 60_500, 60_520)).toBe('either')
    expect(history.verdict(limit, 62_100, 62_120)).toBe('allow')
  })

  it('is uncertain whether a call that failed at the upstream has used a token', () => {
    const history = new LimitHistory(TOLERANCE)
    const limit = { calls: 1, per: PER, kind: 'bucket' } as const
    history.add({ sent: 0, answered: 20, outcome: 'failed' })
    expect(history.verdict(limit, 100, 120)).toBe('either')
  })
})
