import { type DialectVersion, readPolicy, readPolicyFile } from '#built/servers/gateway/policy/index.js'
import { builtin, command, type Rehearsal, rehearse } from '#built/servers/rehearsal/index.js'
import { ACCOUNT_TOKEN } from '#built/servers/rehearsal/stage/fixtures.js'
import type { OpenWay } from '#built/servers/rehearsal/via/gateway.js'
import { GATEWAYS } from './gateways/index.js'
import { type GatewayMutant, USUAL_POLICY } from './gateways/mutant.js'
import { fixturePolicies, type LoosenedPolicy, loosened, ORIGINALS, policyPath } from './policies/loosen.js'
import { proxied } from './proxy/way.js'

/** The proxy gives quota back as this version of Intercept's language has it. */
const DIALECT: DialectVersion = 'intercept@2026-03'

/** The program of the proxy, as `npm run programs` compiles it. */
const PROXY = 'dist-test/test/mutants/proxy/main.js'

/** Mutants that forward a second later are watched for longer than that. For all others nothing comes behind the last row. */
const WATCH_MS = 1500

/** `accused`: the judge finds fault with an equivalent mutant. `failed`: the rehearsal gave no report, or ended early. */
export type Verdict = 'found' | 'equivalent' | 'missed' | 'accused' | 'failed'

export interface Mutant {
  readonly kind: 'correct' | 'gateway' | 'policy'
  readonly name: string
  readonly does: string
  /** Why it is equivalent. */
  readonly equivalent?: string
  rehearse(without: readonly string[]): Promise<Rehearsal>
}

export interface Finding {
  readonly kind: Mutant['kind']
  readonly name: string
  readonly verdict: Verdict
  /** The first wrong row, or the argument for an equivalent mutant, or what the mutant does. */
  readonly why: string
}

/** All mutants: the correct gateway in front of each policy of fixtures/, the broken gateways, the loosened policies. */
export function allMutants(): Mutant[] {
  return [
    ...fixturePolicies().flatMap(name => [correctOverHttp(name), correctOnPipes(name)]),
    ...GATEWAYS.map(brokenGateway),
    ...ORIGINALS.flatMap(name => loosened(name).map(loosenedPolicy)),
  ]
}

/** @param without names of checks of the judge that are switched off */
export async function runMutant(mutant: Mutant, without: readonly string[] = []): Promise<Finding> {
  const { kind, name } = mutant
  try {
    return { kind, name, ...verdictOn(mutant, await mutant.rehearse(without)) }
  } catch (error) {
    return { kind, name, verdict: 'failed', why: String(error) }
  }
}

function verdictOn(
  { does, equivalent }: Mutant,
  { rows, counts, ok }: Rehearsal,
): Pick<Finding, 'verdict' | 'why'> {
  const wrong = rows.find(({ mark }) => mark === 'wrong')
  if (wrong !== undefined) {
    const verdict = equivalent === undefined ? 'found' : 'accused'
    return { verdict, why: `${wrong.step}: ${wrong.why}` }
  }
  if (!ok) return { verdict: 'failed', why: `ended early, or checked nothing: ${JSON.stringify(counts)}` }
  if (equivalent !== undefined) return { verdict: 'equivalent', why: equivalent }
  return { verdict: 'missed', why: does }
}

/** The proxy with every switch off, over HTTP and on the stage's clock. */
export function correctOverHttp(original: string): Mutant {
  const policy = policyPath(original)
  return {
    kind: 'correct',
    name: `no switch, over HTTP: ${original}`,
    does: 'does what the policy says',
    equivalent: 'it is the correct gateway',
    async rehearse(without) {
      const reading = await readPolicyFile(policy, DIALECT)
      return rehearse({ policy, dialect: DIALECT, via: proxied(reading.policy), without })
    },
  }
}

/**
 * The proxy with every switch off, as a program on pipes, in front of a server that is a command.
 *
 * The command is the same program with a policy that allows everything. It brings the calls to the upstream over HTTP.
 *
 * @param program the file of the program
 */
export function correctOnPipes(original: string, program = PROXY): Mutant {
  const policy = policyPath(original)
  const credential = original.includes('instanode') ? ['--credential', `Bearer ${ACCOUNT_TOKEN}`] : []
  const gateway = [process.execPath, program, '--policy', '{policy}']
  const server = [process.execPath, program, '--policy', policyPath('open.json'), '--upstream', '{upstream}']
  const template = [...gateway, '--', ...server, ...credential]
  return {
    kind: 'correct',
    name: `no switch, on pipes: ${original}`,
    does: 'does what the policy says',
    equivalent: 'it is the correct gateway',
    rehearse: without =>
      rehearse({
        policy,
        dialect: DIALECT,
        via: command({ template, policyFile: policy, pipes: true }),
        without,
        watchMs: 0,
      }),
  }
}

export function brokenGateway(mutant: GatewayMutant): Mutant {
  const { name, does, equivalent, policy: original = USUAL_POLICY } = mutant
  return {
    kind: 'gateway',
    name,
    does,
    ...(equivalent !== undefined && { equivalent }),
    async rehearse(without) {
      const policy = policyPath(original)
      const reading = await readPolicyFile(policy, DIALECT)
      const watchMs = mutant.late === true ? WATCH_MS : 0
      return rehearse({ policy, dialect: DIALECT, via: proxied(reading.policy, mutant), without, watchMs })
    },
  }
}

export function loosenedPolicy({ original, does, text, equivalent }: LoosenedPolicy): Mutant {
  return {
    kind: 'policy',
    name: `${original}: ${does}`,
    does,
    ...(equivalent !== undefined && { equivalent }),
    async rehearse(without) {
      const { policy } = readPolicy(text, original, DIALECT)
      return rehearse({
        policy: policyPath(original),
        dialect: DIALECT,
        via: unnamed(builtin(policy)),
        without,
      })
    },
  }
}

/** A gateway whose denials need not name the right rule: what passes and what does not is all that tells. */
function unnamed(open: OpenWay): OpenWay {
  return async (stage, names) => ({ ...(await open(stage, names)), namesRules: false })
}
