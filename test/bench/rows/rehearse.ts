import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { UNDERSTUDY } from '../programs.js'
import type { Row } from '../row.js'
import { median } from '../statistics.js'

const POLICY = 'test/bench/policies/all-fourteen.json'
const RUNS = 5
const SECONDS = 5

/**
 * Measures a whole rehearsal, from starting the command to its exit. The policy has fourteen tools. Each has a limit per minute
 * and one per day, and one limit covers all tools.
 */
export const rehearse: Row = {
  name: 'rehearse',
  async measure() {
    const taken: number[] = []
    for (let run = 0; run < RUNS; run++) taken.push(await rehearseOnce())
    const ours = median(taken)
    return [
      {
        what: `\`rehearse\` of all fourteen tools, limits per minute and per day: the whole command, median of ${RUNS}`,
        unit: 'ms',
        ours,
        target: `under ${SECONDS * 1000}`,
        met: ours < SECONDS * 1000,
      },
    ]
  },
}

/** Milliseconds from spawn to exit. */
async function rehearseOnce(): Promise<number> {
  const spawned = performance.now()
  const command = spawn(process.execPath, [UNDERSTUDY, 'rehearse', POLICY, '--json'], { stdio: 'ignore' })
  const [code] = await once(command, 'exit')
  if (code !== 0) throw new Error(`the rehearsal ended with ${code}`)
  return performance.now() - spawned
}
