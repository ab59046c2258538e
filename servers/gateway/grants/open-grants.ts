import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Clock } from '../../../shared/clock/clock.js'
import { Refusal } from '../../../shared/errors.js'
import type { GatewayOptions, PolicySource } from '../gateway-options.js'
import type { PolicyEngine } from '../policy/model.js'
import { DEFAULT_LABEL, NO_POLICY } from './grant.js'
import { Grants } from './grants.js'

/**
 * The grants of a gateway, each with its engine. Grants that name the same file share one: limits that do not go by grant are counted
 * for all of them together.
 *
 * @throws Refusal for a policy that cannot be read, or grants that cannot be told apart
 */
export async function openGrants(
  { policy, grants }: Pick<GatewayOptions, 'policy' | 'grants'>,
  clock: Clock,
): Promise<Grants> {
  const engines = new Map<string, Promise<PolicyEngine>>()
  const engineOf = async (source: PolicySource): Promise<PolicyEngine> => {
    if (typeof source !== 'string') return source
    const path = resolve(source)
    const engine = engines.get(path) ?? readEngine(source, clock)
    engines.set(path, engine)
    return engine
  }
  // Read even if every grant has another: a file that is named has to be right.
  const common = policy === undefined ? NO_POLICY : await engineOf(policy)
  if (grants === undefined) {
    if (policy !== undefined) return new Grants({ label: DEFAULT_LABEL, engine: common })
    throw new Refusal('no_policy', 'the gateway has no policy', 'name one, or grants that have their own')
  }
  return new Grants(
    await Promise.all(
      grants.map(async ({ label, token, policy: own }) => ({
        label,
        token,
        engine: own === undefined ? NO_POLICY : await engineOf(own),
      })),
    ),
  )
}

async function readEngine(path: string, clock: Clock): Promise<PolicyEngine> {
  const { readPolicy, createEngine } = await import('../policy/index.js')
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new Refusal(
      'policy_file',
      `cannot read the policy ${JSON.stringify(path)} (${reason})`,
      'check the path',
    )
  }
  return createEngine(readPolicy(text, path).policy, clock)
}
