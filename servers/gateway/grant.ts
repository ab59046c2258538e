import type { PolicySummary } from '../../shared/schemas/gateway.js'
import type { PolicyEngine } from './policy/model.js'

/** Somebody who may call: a name for quotas and the audit, and the policy its calls are held to. */
export interface Grant {
  readonly label: string
  readonly engine: PolicyEngine
  /** The file that the engine is made from; null: none. */
  readonly policy: PolicySummary | null
}

/** The grant of every caller where none are configured. */
export const DEFAULT_LABEL = 'default'

/** What a grant without a policy comes to: every call denied, nothing hidden. */
export const NO_POLICY: PolicyEngine = {
  decide: () => ({ outcome: 'deny', rule: '(no policy)', message: 'no policy is attached to this grant' }),
  hides: () => false,
  snapshot: () => null,
  restore: () => undefined,
}
