import { shown } from '../../../shared/util/shown.js'
import { argumentAt, type Condition, type Policy, type Rule } from '../../gateway/policy/model.js'
import type { CallStep } from '../scenario.js'
import { around } from './condition-values.js'
import { fullArguments, literally, withValue } from './example-arguments.js'
import { passingArguments, rulesOf, type Sample } from './passing-arguments.js'

/** Each condition on a tool's arguments: with a value that holds, with one that does not, and without the argument. */
export function conditionSteps(policy: Policy, tool: string, sample: Sample): CallStep[] {
  const passing = passingArguments(policy, tool, sample)
  return rulesOf(policy, tool).flatMap(({ demand }) => {
    if (demand.kind !== 'require' && demand.kind !== 'forbid') return []
    // Only with all others holding does what is forbidden hang on this one.
    const base = demand.kind === 'forbid' ? allHolding(demand, passing, sample, tool) : passing
    return demand.conditions.flatMap(condition => stepsOf(tool, condition, base, sample))
  })
}

/** The conditions for which no value was found, on one side or on both: nobody but the policy's author knows one. */
export function withoutValues(policy: Policy, tool: string, sample: Sample): string[] {
  const passing = passingArguments(policy, tool, sample)
  return rulesOf(policy, tool).flatMap(({ demand }) => {
    if (demand.kind !== 'require' && demand.kind !== 'forbid') return []
    return demand.conditions.flatMap(condition => {
      if (condition.subject.from !== 'args' || condition.op === 'exists') return []
      const { holding, failing } = valuesFor(condition, passing, sample, tool)
      const sides = [
        ...(holding === undefined ? ['holds'] : []),
        ...(failing === undefined ? ['does not hold'] : []),
      ]
      return sides.map(side => `${condition.path} ${condition.op} ${shown(condition.value)} ${side}`)
    })
  })
}

function allHolding(
  demand: Extract<Rule['demand'], { kind: 'forbid' }>,
  passing: Record<string, unknown>,
  sample: Sample,
  tool: string,
): Record<string, unknown> {
  return demand.conditions.reduce((args, condition) => {
    const { subject } = condition
    if (subject.from !== 'args') return args
    const { holding } = valuesFor(condition, args, sample, tool)
    return withValue(args, subject.keys, literally(holding))
  }, passing)
}

function stepsOf(
  tool: string,
  condition: Condition,
  base: Record<string, unknown>,
  sample: Sample,
): CallStep[] {
  const { subject, path, op } = condition
  if (subject.from !== 'args') return []
  const { holding, failing } = valuesFor(condition, base, sample, tool)
  const step = (value: unknown, say: string): CallStep => ({
    call: tool,
    args: withValue(base, subject.keys, value),
    say,
  })
  const given = argumentAt(base, subject.keys)
  return [
    ...(holding === undefined ? [] : [step(referenceOr(holding, given, sample), `${path} ${op} holds`)]),
    ...(failing === undefined ? [] : [step(literally(failing), `${path} ${op} does not hold`)]),
    step(undefined, `${path} left out`),
  ]
}

function valuesFor(condition: Condition, args: Record<string, unknown>, sample: Sample, tool: string) {
  const { subject, op, value } = condition
  if (subject.from !== 'args') return { holding: undefined, failing: undefined }
  const known =
    argumentAt(sample(args), subject.keys) ?? argumentAt(sample(fullArguments(tool)), subject.keys)
  const { holding, failing } = around(condition, known)
  if (op !== 'exists') return { holding, failing }
  // To be there or not is all that counts.
  return value === true
    ? { holding: known ?? 'rehearsal', failing: undefined }
    : { holding: undefined, failing: known ?? 'rehearsal' }
}

/** What was prepared is prepared anew for each call: the reference goes into the step, not what it stood for once. */
function referenceOr(value: unknown, given: unknown, sample: Sample): unknown {
  const stands = typeof given === 'string' ? argumentAt(sample({ given }), ['given']) : given
  return stands === value ? given : literally(value)
}
