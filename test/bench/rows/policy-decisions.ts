import { readFile } from 'node:fs/promises'
import { createEngine, type PolicyCall, readPolicy } from '#built/servers/gateway/policy/index.js'
import { Clock } from '#built/shared/clock/clock.js'
import type { Row } from '../row.js'
import { median } from '../statistics.js'

const ROUNDS = 5
const DECISIONS = 400_000
const TARGET = 200_000
const POLICIES = ['intercept/safebot-strict.yaml', 'policylayer/safebot-strict.json']

/** How fast calls are judged: a pattern on an argument, a limit for the tool, and one over all tools, real clock. */
export const policyDecisions: Row = {
  name: 'policy-decisions',
  async measure() {
    const measurements = []
    for (const file of POLICIES) {
      const text = await readFile(`fixtures/policies/${file}`, 'utf8')
      const rates = Array.from({ length: ROUNDS }, () => decisionsPerSecond(text, file))
      const ours = median(rates)
      measurements.push({
        what: `policy decisions by \`${file}\`: patterns, limits and quota given back, median of ${ROUNDS}`,
        unit: 'decisions/s' as const,
        ours,
        target: `over ${TARGET.toLocaleString('en')}`,
        met: ours > TARGET,
      })
    }
    return measurements
  },
}

function decisionsPerSecond(text: string, file: string): number {
  const clock = new Clock()
  const engine = createEngine(readPolicy(text, file).policy, clock)
  const url = 'http://127.0.0.1:4802/room/demo#k=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
  const calls: PolicyCall[] = ['a', 'b', 'c', 'd'].flatMap(grant => [
    { tool: 'send_message', args: { url, text: 'The tests are green, have a look at the branch.' }, grant },
    { tool: 'claim_task', args: { url, timeout_seconds: 20 }, grant },
    { tool: 'next_task', args: { url }, grant },
    { tool: 'room_status', args: { url }, grant },
  ])
  const begin = performance.now()
  for (let done = 0; done < DECISIONS; done += calls.length) {
    for (const call of calls) {
      const decision = engine.decide(call)
      // Given back, or all but the first few would be the short way to a denial.
      if (decision.outcome === 'allow') decision.settle('refunded')
    }
  }
  const rate = DECISIONS / ((performance.now() - begin) / 1000)
  clock.close()
  return rate
}
