import { readPolicy, readPolicyFile } from '#built/servers/gateway/policy/index.js'
import { builtin, type Rehearsal, rehearse } from '#built/servers/rehearsal/index.js'
import type { OpenWay } from '#built/servers/rehearsal/via/gateway.js'
import { GATEWAYS } from './gateways/index.js'
import { type GatewayMutant, USUAL_POLICY } from './gateways/mutant.js'
import { type LoosenedPolicy, loosened, ORIGINALS, policyPath } from './policies/loosen.js'
import { proxied } from './proxy/way.js'

/** `accused`: the judge finds fault with an equivalent mutant. */
export type Verdict = 'found' | 'equivalent' | 'missed' | 'accused'

export interface Mutant {
  readonly kind: 'gateway' | 'policy'
  readonly name: string
  readonly does: string
  /** Why it is equivalent. */
  readonly equivalent?: string
  rehearse(): Promise<Rehearsal>
}

export interface Finding {
  readonly kind: Mutant['kind']
  readonly name: string
  readonly verdict: Verdict
  /** The first wrong row, or the argument for an equivalent mutant, or what the mutant does. */
  readonly why: string
}

/** All mutants: the broken gateways, then the loosened policies. */
export function allMutants(): Mutant[] {
  return [...GATEWAYS.map(brokenGateway), ...ORIGINALS.flatMap(name => loosened(name).map(loosenedPolicy))]
}

export async function runMutant(mutant: Mutant): Promise<Finding> {
  const { kind, name, does, equivalent } = mutant
  const { rows, counts, ok } = await mutant.rehearse()
  const wrong = rows.find(({ mark }) => mark === 'wrong')
  const finding = { kind, name }
  if (wrong !== undefined) {
    const verdict = equivalent === undefined ? 'found' : 'accused'
    return { ...finding, verdict, why: `${wrong.step}: ${wrong.why}` }
  }
  if (!ok) throw new Error(`${name}: the rehearsal ended early or checked nothing: ${JSON.stringify(counts)}`)
  if (equivalent !== undefined) return { ...finding, verdict: 'equivalent', why: equivalent }
  return { ...finding, verdict: 'missed', why: does }
}

export function brokenGateway(mutant: GatewayMutant): Mutant {
  const { name, does, equivalent, policy: original = USUAL_POLICY } = mutant
  return {
    kind: 'gateway',
    name,
    does,
    ...(equivalent !== undefined && { equivalent }),
    async rehearse() {
      const policy = policyPath(original)
      const reading = await readPolicyFile(policy)
      return rehearse({ policy, via: proxied(reading.policy, mutant) })
    },
  }
}

export function loosenedPolicy({ original, does, text, equivalent }: LoosenedPolicy): Mutant {
  return {
    kind: 'policy',
    name: `${original}: ${does}`,
    does,
    ...(equivalent !== undefined && { equivalent }),
    async rehearse() {
      const { policy } = readPolicy(text, original)
      return rehearse({ policy: policyPath(original), via: unnamed(builtin(policy)) })
    },
  }
}

/** A gateway whose denials need not name the right rule: what passes and what does not is all that tells. */
function unnamed(open: OpenWay): OpenWay {
  return async (stage, names) => ({ ...(await open(stage, names)), namesRules: false })
}
