import { isObject } from '../../../shared/util/is-object.js'
import { argumentAt, type Condition, type Policy, type Rule } from '../../gateway/policy/model.js'
import { testOf } from '../../gateway/policy/operators.js'
import { around } from './condition-values.js'

/** All arguments of each known tool, with sensible values that may refer to prepared ones. */
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

/** Arguments of a call unless a policy demands more. */
const USUAL: Readonly<Record<string, readonly string[]>> = {
  create_room: [],
  send_message: ['url', 'text'],
  wait_for_messages: ['url', 'timeout_seconds'],
  get_transcript: ['url'],
}

/** Returns the usual arguments of a tool. A tool of another server has none. */
function usualArguments(tool: string): Record<string, unknown> {
  const full = fullArguments(tool)
  const usual = Object.hasOwn(USUAL, tool) ? USUAL[tool] : undefined
  if (usual === undefined) return full
  return Object.fromEntries(Object.entries(full).filter(([name]) => usual.includes(name)))
}

/** All arguments that a tool takes, each with a value that makes sense. */
export function fullArguments(tool: string): Record<string, unknown> {
  return { ...(Object.hasOwn(FULL, tool) ? FULL[tool] : {}) }
}

/** Arguments with another value at the end of `keys`; undefined takes it out. */
export function withValue(
  args: Readonly<Record<string, unknown>>,
  [key = '', ...rest]: readonly string[],
  value: unknown,
): Record<string, unknown> {
  const { [key]: before, ...others } = args
  if (rest.length > 0) return { ...args, [key]: withValue(isObject(before) ? before : {}, rest, value) }
  return value === undefined ? others : { ...args, [key]: value }
}

/** As a text that a scenario does not take for a reference. */
export function literally(value: unknown): unknown {
  return typeof value === 'string' && value.startsWith('$') ? `$${value}` : value
}

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
      for (const condition of demand.conditions)
        args = adjusted({ args, condition, wanted: true, sample, tool })
    } else if (
      demand.kind === 'forbid' &&
      demand.conditions.every(condition => holds(args, condition, sample))
    ) {
      // One of them is enough to let the call be.
      const [condition] = demand.conditions
      if (condition !== undefined) args = adjusted({ args, condition, wanted: false, sample, tool })
    }
  }
  return args
}

interface Adjusting {
  args: Record<string, unknown>
  condition: Condition
  /** Whether the condition is to hold. */
  wanted: boolean
  sample: Sample
  tool: string
}

/** Changes arguments so that a condition holds, or does not. */
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

/** Whether a condition holds for arguments, a counter's taken to stand at nothing. */
function holds(args: unknown, { subject, op, value }: Condition, sample: Sample): boolean {
  const actual = subject.from === 'args' ? argumentAt(sample(args), subject.keys) : 0
  return testOf(op, value)(actual)
}

/** Whether a policy hides a tool. */
export function isHidden({ hide }: Policy, tool: string): boolean {
  return hide.includes('*') || hide.includes(tool)
}

/** Whether some call of a tool can pass without an approval. */
export function isOpen(policy: Policy, tool: string): boolean {
  if (isHidden(policy, tool)) return false
  if (!policy.tools.has(tool) && policy.default === 'deny') return false
  return !rulesOf(policy, tool).some(shuts)
}

function shuts({ demand }: Rule): boolean {
  return (
    demand.kind === 'deny' ||
    demand.kind === 'approve' ||
    (demand.kind === 'forbid' && demand.conditions.length === 0)
  )
}
