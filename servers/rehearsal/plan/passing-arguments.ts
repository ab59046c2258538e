import { argumentAt, type Condition, type Policy, type Rule } from '../../gateway/policy/model.js'
import { testOf } from '../../gateway/policy/operators.js'
import { around } from './condition-values.js'
import { fullArguments, literally, usualArguments, withValue } from './example-arguments.js'

/** Arguments with real values where they have references, as they will be sent. */
export type Sample = (args: unknown) => Record<string, unknown>

/** The rules a call of the tool meets. */
export function rulesOf(policy: Policy, tool: string): readonly Rule[] {
  return [...(policy.tools.get(tool) ?? []), ...policy.everyTool]
}

/**
 * Arguments that a tool's rules have nothing against, as far as they can be found: the usual ones, changed
 * as little as its rules ask for.
 */
export function passingArguments(policy: Policy, tool: string, sample: Sample): Record<string, unknown> {
  let args = usualArguments(tool)
  for (const { demand } of rulesOf(policy, tool)) {
    if (demand.kind === 'require') {
      for (const condition of demand.conditions) args = made(args, condition, true, sample, tool)
    } else if (
      demand.kind === 'forbid' &&
      demand.conditions.every(condition => holds(args, condition, sample))
    ) {
      // One of them is enough to let the call be.
      const [condition] = demand.conditions
      if (condition !== undefined) args = made(args, condition, false, sample, tool)
    }
  }
  return args
}

/** The arguments, changed so that a condition holds, or does not. */
function made(
  args: Record<string, unknown>,
  condition: Condition,
  wanted: boolean,
  sample: Sample,
  tool: string,
): Record<string, unknown> {
  const { subject } = condition
  if (subject.from !== 'args' || holds(args, condition, sample) === wanted) return args
  const known = fullArguments(tool)
  const full = withValue(args, subject.keys, argumentAt(known, subject.keys))
  if (holds(full, condition, sample) === wanted) return full
  const without = withValue(args, subject.keys, undefined)
  if (holds(without, condition, sample) === wanted) return without
  const { holding, failing } = around(condition, argumentAt(sample(args), subject.keys))
  return withValue(args, subject.keys, literally(wanted ? holding : failing))
}

/** Whether a condition holds for arguments, a counter's taken to stand at nothing. */
export function holds(args: unknown, { subject, op, value }: Condition, sample: Sample): boolean {
  const actual = subject.from === 'args' ? argumentAt(sample(args), subject.keys) : 0
  return testOf(op, value)(actual)
}
