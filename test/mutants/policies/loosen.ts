import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isObject } from '#built/shared/util/objects.js'
import { narrowerPatterns, widerPatterns } from './loosen-pattern.js'
import { type ConditionSite, type Path, PolicyText } from './policy-text.js'

/** A policy that lets more pass than the policy that it was made from. */
export interface LoosenedPolicy {
  /** Path of the original, as in {@link policyPath}. */
  readonly original: string
  readonly does: string
  readonly text: string
  /** Why it lets nothing more pass. */
  readonly equivalent?: string
}

interface Edit {
  readonly at: Path
  readonly does: string
  /** Undefined takes the place out. */
  readonly value: unknown
  readonly equivalent?: string
}

const FIXTURES = 'fixtures/policies'
const OWN = 'test/mutants/policies'
const SHORTER: Readonly<Record<string, string>> = { hour: 'minute', day: 'hour' }
const SECONDS: Readonly<Record<string, number>> = { minute: 60, hour: 3600, day: 86_400 }

/** The paths of the policies that are loosened: those of fixtures/, and those of this folder. */
export const ORIGINALS: readonly string[] = [
  ...fixturePolicies(),
  ...readdirSync(OWN).filter(name => /\.(json|yaml)$/.test(name)),
]

export function fixturePolicies(): string[] {
  return ['intercept', 'policylayer'].flatMap(language =>
    readdirSync(join(FIXTURES, language)).map(name => `${language}/${name}`),
  )
}

/** The file of a policy: of fixtures/ with its folder, of this folder without. */
export function policyPath(name: string): string {
  return join(name.includes('/') ? FIXTURES : OWN, name)
}

/** All loosened policies that the rules below make of one policy. */
export function loosened(original: string): LoosenedPolicy[] {
  const policy = new PolicyText(readFileSync(policyPath(original), 'utf8'))
  const edits = [
    ...policy.conditions.flatMap(loosenedCondition),
    ...loosenedLimits(policy),
    ...loosenedRules(policy),
    ...loosenedNames(policy),
  ]
  return edits.map(({ at, value, ...edit }) => ({ original, ...edit, text: policy.with(at, value) }))
}

function loosenedCondition(site: ConditionSite): Edit[] {
  const { at, tool, path, op } = site
  const values = site.denies ? narrowerConditions(site) : widerConditions(site)
  return values.map(({ does, ...change }) => ({
    at,
    does: `${tool}: ${path} ${op} ${does}`,
    value: { path, op, value: site.value, ...change },
  }))
}

interface OtherCondition {
  readonly does: string
  readonly op?: string
  readonly value?: unknown
}

/** Conditions that hold for more values. */
function widerConditions({ op, value }: ConditionSite): OtherCondition[] {
  const wider = (of: string, to: unknown): OtherCondition => ({
    does: `${of} ${JSON.stringify(to)}`,
    value: to,
  })
  if (op === 'regex') return widerPatterns(String(value))
  if (typeof value === 'number') {
    if (op === 'lt')
      return [{ does: 'becomes lte', op: 'lte' }, wider('up to', value + 1), wider('up to', value + 0.5)]
    if (op === 'lte') return [wider('up to', value + 1), wider('up to', value + 0.001)]
    if (op === 'gt')
      return [{ does: 'becomes gte', op: 'gte' }, wider('down to', value - 1), wider('down to', value - 0.5)]
    if (op === 'gte') return [wider('down to', value - 1), wider('down to', value - 0.001)]
    if (op === 'neq') return [wider('is not', value - 1), wider('is not', value + 1)]
  }
  if (op === 'neq') return [wider('is not', capitals(value)), wider('is not', `${value} `)]
  if (op === 'eq') return [{ does: 'ignores case', op: 'in', value: [value, capitals(value)] }]
  if (!Array.isArray(value)) return []
  const [first, ...rest] = value
  if (op === 'not_in')
    return [
      ...(rest.length > 0 ? [wider('lacks a value:', rest)] : []),
      ...(typeof first === 'string' ? [wider('is in capitals:', value.map(capitals))] : []),
    ]
  if (op !== 'in') return []
  const more = [capitals(first), String(first).slice(0, -1), `${first} `, ` ${first}`, `${first}-2`]
  return more.map(item => wider('takes more:', [...value, item]))
}

/** Conditions that hold for fewer values. */
function narrowerConditions({ op, value, path }: ConditionSite): OtherCondition[] {
  if (op === 'regex')
    return narrowerPatterns(String(value)).map(({ does, value: to }) => ({ does, value: to }))
  if (op === 'contains')
    return [
      { does: 'becomes eq', op: 'eq' },
      { does: 'matches at the end only', op: 'regex', value: `${value}$` },
      { does: 'matches at the start only', op: 'regex', value: `^${value}` },
      { does: 'demands a letter more', value: `${value}s` },
    ]
  if (op === 'eq' && typeof value === 'string') return [{ does: 'is in capitals', value: capitals(value) }]
  if (op === 'eq' && typeof value === 'number') return [{ does: 'is one more', value: value + 1 }]
  if (op === 'eq' && typeof value === 'boolean') return [{ does: 'is the contrary', value: !value }]
  if (op === 'exists') return [{ does: `denies a text in ${path} that is empty only`, op: 'eq', value: '' }]
  return []
}

function loosenedLimits(policy: PolicyText): Edit[] {
  return policy.limits.flatMap(limit => {
    const { at, tool, max, window } = limit
    const written = policy.get(at)
    const isRate = typeof written === 'string'
    const shorter = SHORTER[window]
    const isFree = !policy.limits.some(other => other.tool === tool && other.window === shorter)
    const argument = tool === undefined ? unreachable(policy, max, window) : undefined
    const edit = (does: string, value: unknown): Edit => ({
      at,
      does: `${tool ?? 'all tools'}: limit ${max} a ${window} ${does}`,
      value,
      ...(argument !== undefined && { equivalent: argument }),
    })
    const other = (to: number) =>
      isRate ? `${to}/${window}` : isObject(written) ? { ...written, max: to } : written
    return [
      edit('is one higher', other(max + 1)),
      ...(shorter === undefined || !isFree
        ? []
        : [
            edit(
              `is for a ${shorter}`,
              isRate ? `${max}/${shorter}` : isObject(written) ? { ...written, window: shorter } : written,
            ),
          ]),
      ...(isRate ? [] : [edit('is gone', undefined)]),
    ]
  })
}

/** Why a limit over all tools is never reached: the tools' own limits leave less than that in its window. */
function unreachable(policy: PolicyText, max: number, window: string | number): string | undefined {
  const seconds = (name: string | number) => (typeof name === 'number' ? name : (SECONDS[name] ?? 0))
  const open = policy.tools.filter(
    tool =>
      !policy.hidden.includes(tool) &&
      !policy.rules.some(({ tool: of, rule }) => of === tool && rule.action === 'deny'),
  )
  const most = open.map(tool =>
    Math.min(
      ...policy.limits
        .filter(limit => limit.tool === tool && seconds(limit.window) >= seconds(window))
        .map(limit => limit.max),
    ),
  )
  const sum = most.reduce((total, count) => total + count, 0)
  return sum <= max
    ? `the tools' own limits let ${most.join(' + ')} = ${sum} calls pass, and this one ${max}`
    : undefined
}

function loosenedRules(policy: PolicyText): Edit[] {
  const ofIntercept = policy.rules
    .filter(({ rule }) => rule.action !== 'allow' || rule.rate_limit !== undefined)
    .map(({ at, tool, rule }) => {
      const limit = policy.limits.find(({ at: place }) => place.join().startsWith(`${at.join()},`))
      const argument =
        tool === '*' && limit !== undefined ? unreachable(policy, limit.max, limit.window) : undefined
      return {
        at,
        does: `${tool}: the rule ${JSON.stringify(rule.name ?? rule.action)} is gone`,
        value: undefined,
        ...(argument !== undefined && { equivalent: argument }),
      }
    })
  const ofPolicyLayer = policy.demands.map(({ at, tool }) => ({
    at,
    does: `${tool}: ${at.at(-2)} ${at.at(-1)} is gone`,
    value: undefined,
  }))
  const approvals = policy.tools
    .filter(tool => policy.get(['tools', tool, 'approve']) === true)
    .map(tool => ({ at: ['tools', tool, 'approve'], does: `${tool}: needs no approval`, value: undefined }))
  const parts = policy.conditions
    .filter(({ at, denies }) => !denies && at.at(-2) === 'conditions' && Number(at.at(-1)) > 0)
    .map(condition => {
      const { at, tool, path, op } = condition
      const argument = impliedExists(policy, condition)
      return {
        at,
        does: `${tool}: the condition on ${path} ${op} is gone`,
        value: undefined,
        ...(argument !== undefined && { equivalent: argument }),
      }
    })
  return [...ofIntercept, ...ofPolicyLayer, ...approvals, ...parts]
}

/** Operators that a missing argument does not fail. All others deny a call without the argument. */
const HOLD_WITHOUT = ['exists', 'neq', 'not_in']

/** The reason why an argument has to exist without the condition that says so: another condition on it demands a value. */
function impliedExists(
  { conditions }: PolicyText,
  { tool, path, op, value }: ConditionSite,
): string | undefined {
  if (op !== 'exists' || value !== true) return undefined
  const other = conditions.find(
    ({ denies, ...each }) =>
      !denies && each.tool === tool && each.path === path && !HOLD_WITHOUT.includes(each.op),
  )
  return other && `a call without ${path} is denied by ${path} ${other.op} ${JSON.stringify(other.value)}`
}

/** The default, hidden tools, and tools that the policy does not name. */
function loosenedNames(policy: PolicyText): Edit[] {
  const denies = policy.get(['default']) === 'deny'
  const { hidden } = policy
  const unnamed = ['room_status', 'list_resources', 'create_room', 'next_task', 'delete_resource'].find(
    tool => !policy.tools.includes(tool) && !hidden.includes(tool) && sameServer(tool, policy.tools),
  )
  return [
    ...(denies ? [{ at: ['default'], does: 'the default is allow', value: 'allow' }] : []),
    ...(denies && unnamed !== undefined
      ? [
          {
            at: ['tools', unnamed],
            does: `${unnamed} is named`,
            value: usesRules(policy) ? { rules: [] } : {},
          },
        ]
      : []),
    ...hidden.map((tool, index) => ({
      at: ['hide', index],
      does: `${tool} is not hidden`,
      value: undefined,
    })),
    ...hidden.map((tool, index) => ({
      at: ['hide', index],
      does: `${tool} is hidden in capitals`,
      value: capitals(tool),
    })),
  ]
}

function usesRules(policy: PolicyText): boolean {
  return policy.tools.some(tool => policy.get(['tools', tool, 'rules']) !== undefined)
}

function sameServer(tool: string, named: readonly string[]): boolean {
  const instanode = (name: string) => /postgres|webhook|resource|token/.test(name)
  return named.some(name => instanode(name) === instanode(tool))
}

function capitals(value: unknown): string {
  return String(value).toUpperCase()
}
