import { createEngine } from '../../../servers/gateway/policy/engine.js'
import type { Decision, PolicyCall } from '../../../servers/gateway/policy/model.js'
import { PolicyRefusal } from '../../../servers/gateway/policy/problems.js'
import { readPolicy } from '../../../servers/gateway/policy/read-policy.js'
import { Clock } from '../../../shared/clock/clock.js'

/** An engine on a clock of its own, and a short way to ask it. */
export function engineOf(text: string, file = 'policy.yaml') {
  const clock = new Clock({ mode: 'manual' })
  const engine = createEngine(readPolicy(text, file).policy, clock)
  const decide = (tool: string, args: unknown = {}, more: Partial<PolicyCall> = {}): Decision =>
    engine.decide({ tool, args, grant: 'agent', ...more })
  return {
    clock,
    engine,
    decide,
    /** `allow`, or the rule that denies or asks. */
    outcome(tool: string, args: unknown = {}, more: Partial<PolicyCall> = {}): string {
      const decision = decide(tool, args, more)
      return decision.outcome === 'allow' ? 'allow' : decision.rule
    },
  }
}

/** A policy of Intercept that denies what it does not name. */
export function intercept(tools: Record<string, unknown>, more: Record<string, unknown> = {}): string {
  const named = Object.fromEntries(Object.entries(tools).map(([tool, rules]) => [tool, { rules }]))
  return JSON.stringify({ version: '1', default: 'deny', ...more, tools: named })
}

export function policyLayer(tools: Record<string, unknown>, more: Record<string, unknown> = {}): string {
  return JSON.stringify({ version: '1', default: 'deny', ...more, tools })
}

/** Returns the problems of a text as `line: key message`. Fails if the text is valid. */
export function problemsOf(text: string, file = 'policy.yaml'): string[] {
  try {
    readPolicy(text, file)
  } catch (error) {
    if (!(error instanceof PolicyRefusal)) throw error
    return error.problems.map(({ line, key, message }) => `${line}: ${key === '' ? '' : `${key} `}${message}`)
  }
  throw new Error(`was read: ${text}`)
}
