import { isObject } from '../../../shared/util/objects.js'
import { shown } from '../../../shared/util/shown.js'
import { argumentAt, type Condition, type Limit, type Policy, type Rule } from '../../gateway/policy/model.js'
import { fullArguments, literally, passingArguments, rulesOf, type Sample, withValue } from './arguments.js'
import { around } from './condition-values.js'
import { nearValues } from './near-values.js'
import { one, type PlannedCall, type Step } from './step.js'

/**
 * Returns the steps that test each condition on a tool's arguments.
 *
 * Each condition is tested with a value for which it holds, with a value for which it fails, without the
 * argument, and with values near the boundary. Further steps test an argument that is the amount of a limit.
 */
export function conditionSteps(policy: Policy, tool: string, sample: Sample): Step[] {
  const passing = passingArguments(policy, tool, sample)
  return rulesOf(policy, tool).flatMap(({ demand }) => {
    if (demand.kind === 'limit') return amountSteps(tool, demand.limit, passing)
    if (demand.kind !== 'require' && demand.kind !== 'forbid') return []
    // A call is forbidden only if all conditions hold. While one condition is tested, all other conditions
    // have to hold.
    const base = demand.kind === 'forbid' ? allHolding(demand, passing, sample, tool) : passing
    return demand.conditions.flatMap(condition => stepsOf(tool, condition, base, sample))
  })
}

/**
 * Describes each condition for which no value was found that makes it hold, or no value that makes it fail.
 */
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

function stepsOf(tool: string, condition: Condition, base: Record<string, unknown>, sample: Sample): Step[] {
  const { subject, path, op } = condition
  if (subject.from !== 'args') return []
  const { holding, failing } = valuesFor(condition, base, sample, tool)
  const call = (value: unknown): PlannedCall => ({
    tool,
    args: withValue(base, subject.keys, value),
    as: 'agent',
  })
  const given = argumentAt(base, subject.keys)
  const near = nearValues(condition, holding ?? failing).map(value => call(literally(value)))
  const name = subject.keys.join('.')
  return [
    ...(holding === undefined ? [] : [one(call(referenceOr(holding, given, sample)), `${path} ${op} holds`)]),
    ...(failing === undefined ? [] : [one(call(literally(failing)), `${path} ${op} does not hold`)]),
    one(call(undefined), `${path} left out`),
    ...nearStep(tool, [...near, ...misnamed(call, base, subject.keys)], `values next to ${name} ${op}`),
  ]
}

/**
 * Plans calls with amounts near the maximum of a limit, and with values of other types. Empty if the amount
 * is not an argument.
 */
function amountSteps(tool: string, { amount, max }: Limit, passing: Record<string, unknown>): Step[] {
  if (typeof amount === 'number') return []
  const values = [max, max + 1, max + 0.5, -1, 0, 0.5, '1', null, true, [1], undefined]
  const calls = values.map(value => ({ tool, args: withValue(passing, amount.keys, value), as: 'agent' }))
  return nearStep(tool, calls, `amounts in ${amount.keys.join('.')}`)
}

/**
 * Plans one step with calls that the upstream fails, so that an allowed call changes nothing and its quota is
 * given back.
 */
function nearStep(tool: string, calls: readonly PlannedCall[], say: string): Step[] {
  if (calls.length === 0) return []
  return [
    {
      calls: calls.map(call => ({ ...call, failure: 'rpc_error' as const })),
      sending: 'in turn',
      say: `${tool}, ${calls.length} ${say}`,
    },
  ]
}

/**
 * Returns calls with an argument under a wrong name. The names are the argument's name in capitals, and for a
 * nested argument its path as one key with dots.
 */
function misnamed(
  call: (value: unknown) => PlannedCall,
  base: Record<string, unknown>,
  keys: readonly string[],
): PlannedCall[] {
  const value = argumentAt(base, keys)
  if (value === undefined) return []
  const names = [keys.map(key => key.toUpperCase()), ...(keys.length > 1 ? [[keys.join('.')]] : [])]
  return names.map(other => {
    const without = call(undefined)
    const args = isObject(without.args) ? without.args : {}
    return { ...without, args: withValue(args, other, value) }
  })
}

function valuesFor(condition: Condition, args: Record<string, unknown>, sample: Sample, tool: string) {
  const { subject, op, value } = condition
  if (subject.from !== 'args') return { holding: undefined, failing: undefined }
  const known =
    argumentAt(sample(args), subject.keys) ?? argumentAt(sample(fullArguments(tool)), subject.keys)
  const { holding, failing } = around(condition, known)
  if (op !== 'exists') return { holding, failing }
  // For `exists`, only the presence of the argument matters, and not its value.
  return value === true
    ? { holding: known ?? 'rehearsal', failing: undefined }
    : { holding: undefined, failing: known ?? 'rehearsal' }
}

/**
 * Returns `given` if it is a reference to `value`, so that each call gets a newly prepared value. Otherwise
 * returns `value`.
 */
function referenceOr(value: unknown, given: unknown, sample: Sample): unknown {
  const stands = typeof given === 'string' ? argumentAt(sample({ given }), ['given']) : given
  return stands === value ? given : literally(value)
}
