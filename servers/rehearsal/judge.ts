import { isObject } from '../../shared/util/is-object.js'
import { secretsIn } from '../../shared/util/secrets.js'
import { shown } from '../../shared/util/shown.js'
import { POLICY_META } from '../gateway/messages.js'
import type { Decision } from '../gateway/policy/model.js'
import type { Expected, JudgedCall } from './report.js'
import type { Answer } from './via/caller.js'

/** What is known of a call once it is over. */
export interface Outcome {
  readonly decision: Decision
  readonly answer: Answer
  /** The journal's entries of calls that came to the upstream meanwhile. */
  readonly reached: readonly {
    readonly seq: number
    readonly argsHash: string | null
    readonly tool: string | null
  }[]
  /** What was called, and its hash. */
  readonly sent: { readonly tool: string; readonly argsHash: string | null }
  /** Whether the gateway's denials name their rule. */
  readonly namesRules: boolean
  /** What the scenario's author expects. */
  readonly meant?: Expected
}

/** Holds what a gateway did against what the policy says. */
export function judge(outcome: Outcome): JudgedCall {
  const { decision, answer, reached } = outcome
  const why = problem(outcome)
  return {
    expected: decision.outcome,
    rule: decision.outcome === 'allow' ? null : decision.rule,
    saw: sawOf(answer),
    reached: reached.map(({ seq }) => seq),
    mark: why === null ? 'ok' : 'wrong',
    why,
  }
}

function problem({ decision, answer, reached, sent, namesRules, meant }: Outcome): string | null {
  const { outcome } = decision
  if (meant !== undefined && meant !== outcome) {
    const by = outcome === 'allow' ? '' : ` (${decision.rule})`
    return `the scenario expects ${meant}, and the policy says ${outcome}${by}`
  }
  const by = 'rule' in decision ? ` by ${decision.rule}` : ''
  if (outcome === 'allow') {
    if (reached.length === 0) return `is allowed, and did not reach the upstream: ${sawOf(answer)}`
    if (reached.length > 1) return `is one call, and reached the upstream ${reached.length} times`
    const [entry] = reached
    if (entry?.tool !== sent.tool) return `reached the upstream as a call of ${entry?.tool}`
    if (entry.argsHash !== sent.argsHash) return 'reached the upstream with other arguments'
    return null
  }
  const denied = outcome === 'deny' ? 'is denied' : 'needs approval'
  if (reached.length > 0) return `${denied}${by}, and reached the upstream all the same`
  if (succeeded(answer)) return `${denied}${by}, and its caller was answered as if it had been made`
  // Nobody can tell a refusal that is not spoken from a gateway that hangs.
  if (answer.kind === 'nothing') return `${denied}${by}, and its caller was not told: ${answer.why}`
  const named = namesRules ? ruleIn(answer) : undefined
  if (outcome === 'deny' && named !== undefined && named !== decision.rule)
    return `${denied}${by}, and ${named} denied it`
  return null
}

/** What the caller saw, in words. */
export function sawOf(answer: Answer): string {
  if (answer.kind === 'nothing') return answer.why
  if (answer.kind === 'http') return `HTTP ${answer.status}`
  const { error, result } = answer.message
  if (isObject(error)) return `JSON-RPC error ${String(error.code)}`
  if (!isObject(result)) return `no result, but ${shown(result)}`
  const rule = ruleIn(answer)
  if (rule !== undefined) return `denied: ${rule}`
  return result.isError === true ? 'a tool error' : 'a result'
}

/** Whether an answer gives its quota back: a JSON-RPC error does, and nothing else. */
export function refunds(answer: Answer): boolean {
  return answer.kind === 'response' && isObject(answer.message.error)
}

/** Whether a call has brought its caller what it asked for. */
export function succeeded(answer: Answer): boolean {
  if (answer.kind !== 'response' || !isObject(answer.message.result)) return false
  return answer.message.result.isError !== true
}

function ruleIn(answer: Answer): string | undefined {
  if (answer.kind !== 'response' || !isObject(answer.message.result)) return undefined
  const { _meta } = answer.message.result
  const policy = isObject(_meta) ? _meta[POLICY_META] : undefined
  return isObject(policy) && typeof policy.rule === 'string' ? policy.rule : undefined
}

/** The secrets that went through a gateway, by tool. */
export class SecretsSeen {
  readonly #seen = new Map<string, Set<string>>()

  note(tool: string, way: 'arguments' | 'results', value: unknown): void {
    for (const what of secretsIn(JSON.stringify(value) ?? '')) {
      const passes = `${way} carry ${what}`
      this.#seen.set(passes, (this.#seen.get(passes) ?? new Set()).add(tool))
    }
  }

  /** `results carry a database URL …: create_postgres`. */
  sentences(): string[] {
    return [...this.#seen].map(([passes, tools]) => `${passes}, as seen here: ${[...tools].join(', ')}`)
  }
}
