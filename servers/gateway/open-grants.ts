import { resolve } from 'node:path'
import type { Clock } from '../../shared/clock/clock.js'
import { Refusal } from '../../shared/errors.js'
import type { GatewayOptions, PolicySource } from './gateway-options.js'
import { DEFAULT_LABEL, type Grant, NO_POLICY } from './grant.js'
import { Grants } from './grants.js'

/** What a policy comes to. */
type Enforced = Pick<Grant, 'engine' | 'policy'>

const UNENFORCED: Enforced = { engine: NO_POLICY, policy: null }

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
  const enforced = new Map<string, Promise<Enforced>>()
  const enforcedOf = async (source: PolicySource): Promise<Enforced> => {
    if (typeof source !== 'string') return { engine: source, policy: null }
    const path = resolve(source)
    const read = enforced.get(path) ?? readEngine(source, clock)
    enforced.set(path, read)
    return read
  }
  // Read even if every grant has another: a file that is named has to be right.
  const common = policy === undefined ? UNENFORCED : await enforcedOf(policy)
  if (grants === undefined) {
    if (policy !== undefined) return new Grants({ label: DEFAULT_LABEL, ...common })
    throw new Refusal('no_policy', 'the gateway has no policy', 'name one, or grants that have their own')
  }
  return new Grants(
    await Promise.all(
      grants.map(async ({ label, token, policy: own }) => ({
        label,
        token,
        ...(own === undefined ? UNENFORCED : await enforcedOf(own)),
      })),
    ),
  )
}

async function readEngine(path: string, clock: Clock): Promise<Enforced> {
  const { createEngine, readPolicyFile } = await import('./policy/index.js')
  const { policy, dialect } = await readPolicyFile(path)
  return { engine: createEngine(policy, clock), policy: { name: path, dialect } }
}
