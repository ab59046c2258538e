import { defined } from '../../../shared/util/defined.js'
import type { Scenario } from '../scenario.js'
import { repeated, type Step } from './step.js'

/** Returns the steps of a scenario file in the form that the rehearsal runs. */
export function scenarioSteps({ steps }: Scenario): Step[] {
  return steps.map((step): Step => {
    if ('advance' in step || 'approve' in step) return step
    if ('list' in step) return { as: 'agent', ...step }
    const as = step.as ?? 'agent'
    if ('batch' in step) {
      const calls = step.batch.map(({ call, args = {}, expect }) => ({
        tool: call,
        args,
        as,
        ...defined({ expect }),
      }))
      return { calls, sending: 'as a batch', say: `a batch: ${calls.map(({ tool }) => tool).join(', ')}` }
    }
    const { call, args = {}, times = 1, expect, limit, keep, say } = step
    return repeated({ tool: call, args, as, ...defined({ expect, limit, keep }) }, times, say)
  })
}
