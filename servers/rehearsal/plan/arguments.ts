import { isObject } from '../../../shared/util/objects.js'
import { argumentAt, type Condition, type Policy, type Rule } from '../../gateway/policy/model.js'
import { testOf } from '../../gateway/policy/operators.js'
import { around } from './condition-values.js'

/** All arguments of each known tool. A string that begins with `$` is a reference to a prepared value. */
const FULL: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  create_postgres: { name: 'rehearsal' },
  create_webhook: { name: 'rehearsal' },
  list_resources: {},
  claim_token: { token: '$token' },
  delete_resource: { token: '$token' },
  get_api_token: {},
  create_room: { base: '$base' },
  send_message: { url: '$room', text: 'hello', name: 'rehearsal' },
  wait_for_messages: {
    url: '$room',
    after_seq: 0,
    timeout_seconds: 1,
    include_self: false,
    name: 'rehearsal',
  },
  get_transcript: { url: '$room', after_seq: 0, limit: 10 },
  room_status: { url: '$room' },
  next_task: { url: '$room', timeout_seconds: 1 },
  claim_task: { url: '$room', timeout_seconds: 1 },
  ack_task: { url: '$room', claim_id: '$claim_id', seq: '$seq' },
}

/**
 * The names of the usual arguments, by tool. A tool that is missing here is usually called with all its
 * arguments.
 */
const USUAL: Readonly<Record<string, readonly string[]>> = {
  create_room: [],
  send_message: ['url', 'text'],
  wait_for_messages: ['url', 'timeout_seconds'],
  get_transcript: ['url'],
}

/** Returns the usual arguments of a tool. Empty for an unknown tool. */
function usualArguments(tool: string): Record<string, unknown> {
  const full = fullArguments(tool)
  const usual = Object.hasOwn(USUAL, tool) ? USUAL[tool] : undefined
  if (usual === undefined) return full
  return Object.fromEntries(Object.entries(full).filter(([name]) => usual.includes(name)))
}

/** Returns all arguments of a tool, each with a valid value. Empty for an unknown tool. */
export function fullArguments(tool: string): Record<string, unknown> {
  return { ...(Object.hasOwn(FULL, tool) ? FULL[tool] : {}) }
}

/**
 * Returns a copy of arguments with another value at the path `keys`. If the value is undefined, the argument
 * is removed.
 */
export function withValue(
  args: Readonly<Record<string, unknown>>,
  [key = '', ...rest]: readonly string[],
  value: unknown,
): Record<string, unknown> {
  const { [key]: before, ...others } = args
  if (rest.length > 0) return { ...args, [key]: withValue(isObject(before) ? before : {}, rest, value) }
  return value === undefined ? others : { ...args, [key]: value }
}

/**
 * Escapes a string that begins with `$`, so that it is not read as a reference. Returns other values
 * unchanged.
 */
export function literally(value: unknown): unknown {
  return typeof value === 'string' && value.startsWith('$') ? `$${value}` : value
}

/** Replaces each reference in arguments by an example value. */
export type Sample = (args: unknown) => Record<string, unknown>

/** Returns the rules that apply to calls of a tool. */
export function rulesOf(policy: Policy, tool: string): readonly Rule[] {
  return [...(policy.tools.get(tool) ?? []), ...policy.everyTool]
}

/**
 * Returns arguments that the rules of a tool allow, as far as such values can be found.
 *
 * The usual arguments change only where a rule requires it.
 */
export function passingArguments(policy: Policy, tool: string, sample: Sample): Record<string, unknown> {
  let args = usualArguments(tool)
  for (const { demand } of rulesOf(policy, tool)) {
    if (demand.kind === 'require') {
      for (const condition of demand.conditions)
        args = adjusted({ args, condition, wanted: true, sample, tool })
    } else if (
      demand.kind === 'forbid' &&
      demand.conditions.every(condition => holds(args, condition, sample))
    ) {
      // The rule forbids a call only if all its conditions hold, so it is enough that one condition fails.
      const [condition] = demand.conditions
      if (condition !== undefined) args = adjusted({ args, condition, wanted: false, sample, tool })
    }
  }
  return args
}

interface Adjusting {
  args: Record<string, unknown>
  condition: Condition
  /** True if the condition has to hold, false if it has to fail. */
  wanted: boolean
  sample: Sample
  tool: string
}

/** Returns arguments for which the condition holds if `wanted` is true, and fails if `wanted` is false. */
function adjusted({ args, condition, wanted, sample, tool }: Adjusting): Record<string, unknown> {
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

/** Returns whether a condition holds for arguments. If the condition is about a counter, the count is 0. */
function holds(args: unknown, { subject, op, value }: Condition, sample: Sample): boolean {
  const actual = subject.from === 'args' ? argumentAt(sample(args), subject.keys) : 0
  return testOf(op, value)(actual)
}

/** Returns whether a policy hides a tool. */
export function isHidden({ hide }: Policy, tool: string): boolean {
  return hide.includes('*') || hide.includes(tool)
}

/** Returns whether a call of a tool can be allowed without an approval. */
export function isOpen(policy: Policy, tool: string): boolean {
  if (isHidden(policy, tool)) return false
  if (!policy.tools.has(tool) && policy.default === 'deny') return false
  return !rulesOf(policy, tool).some(deniesOrAsks)
}

function deniesOrAsks({ demand }: Rule): boolean {
  return (
    demand.kind === 'deny' ||
    demand.kind === 'approve' ||
    (demand.kind === 'forbid' && demand.conditions.length === 0)
  )
}
