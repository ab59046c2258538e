import { closestName } from '../../../shared/util/closest-name.js'
import { explainPolicy, explainTool, toolsOf } from './explain.js'
import { KNOWN_TOOLS, knownTool } from './known-tools.js'
import type { Policy, PolicyReading, Rule, Warning } from './model.js'
import { productHoles } from './product-holes.js'
import { reviewLimits } from './review-limits.js'
import { reviewConditions } from './review-rules.js'

/** All that its author should know of a policy: what looks wrong, then what is worth knowing. */
export function reviewPolicy({ policy, warnings }: PolicyReading): Warning[] {
  const found = [
    ...warnings,
    ...unknownTools(policy),
    ...deadRules(policy),
    ...leftOpen(policy),
    ...seemingReads(policy),
    ...reviewConditions(policy),
    ...reviewLimits(policy),
    ...secrets(policy),
    ...productHoles(policy),
  ]
  return found.toSorted((a, b) => Number(a.level === 'note') - Number(b.level === 'note'))
}

/** A gateway may have other servers behind it, so that an unknown name is no error. */
function unknownTools({ tools, hide }: Policy): Warning[] {
  return [...new Set([...tools.keys(), ...hide])]
    .filter(tool => tool !== '*' && knownTool(tool) === undefined)
    .map(tool => {
      const near = closestName(tool, Object.keys(KNOWN_TOOLS))
      const meant = near === undefined ? '' : `; ${near} is probably meant`
      return warning(
        'unknown_tool',
        `${tool} is no tool of Instanode or Safebot${meant}`,
        tool,
        lineOf(tools.get(tool)),
      )
    })
}

function deadRules(policy: Policy): Warning[] {
  const { tools, hide, everyTool } = policy
  const hidden = [...tools]
    .filter(([tool, rules]) => rules.length > 0 && (hide.includes('*') || hide.includes(tool)))
    .map(([tool, rules]) =>
      warning('hidden_rules', `${tool} is hidden: its rules are never asked`, tool, lineOf(rules)),
    )
  const [first] = everyTool
  if (first === undefined || policy.default === 'allow' || tools.size > 0) return hidden
  const message = 'No tool is named and the default is deny: rules for every tool do not let one through'
  return [...hidden, warning('nothing_allowed', message, undefined, first.line)]
}

function leftOpen(policy: Policy): Warning[] {
  if (policy.default === 'deny') return []
  const open = toolsOf(policy).filter(
    tool => !policy.tools.has(tool) && ['allowed', 'limited'].includes(explainTool(policy, tool).verdict),
  )
  if (open.length === 0) return []
  const why = policy.defaultWritten ? 'the default is allow' : 'no default is written, which is read as allow'
  return [
    warning('tools_left_open', `${open.join(', ')}: open, since ${why}, as is whatever a server adds later`),
  ]
}

/** Where tools are sorted by name, these pass as reads. */
function seemingReads(policy: Policy): Warning[] {
  return explainPolicy(policy).flatMap(({ tool, verdict }) => {
    const seems = knownTool(tool)?.seemsRead
    if (seems === undefined || verdict !== 'allowed') return []
    return [
      warning('read_that_writes', `${tool} reads like a read and ${seems}: every call is let through`, tool),
    ]
  })
}

/** One note for each secret and each way it passes, with the tools that it passes through. */
function secrets(policy: Policy): Warning[] {
  const tools = new Map<string, string[]>()
  for (const { tool, verdict } of explainPolicy(policy)) {
    const secret = knownTool(tool)?.secretIn
    if (secret === undefined || verdict === 'hidden' || verdict === 'denied') continue
    for (const [way, what] of Object.entries(secret)) {
      const passes = `${way === 'results' ? 'Results' : 'Arguments'} carry ${what}`
      tools.set(passes, [...(tools.get(passes) ?? []), tool])
    }
  }
  return [...tools].map(([passes, names]) => {
    const unseen = passes.startsWith('Results') ? '; no rule looks at results' : ''
    return { code: 'secret', level: 'note', message: `${passes}: ${names.join(', ')}${unseen}` }
  })
}

function lineOf(rules: readonly Rule[] | undefined): number | undefined {
  return rules?.[0]?.line
}

function warning(code: string, message: string, tool?: string, line?: number): Warning {
  return {
    code,
    level: 'warning',
    message,
    ...(tool !== undefined && { tool }),
    ...(line !== undefined && { line }),
  }
}
