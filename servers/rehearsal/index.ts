import { Clock } from '../../shared/clock/clock.js'
import { Refusal } from '../../shared/errors.js'
import { defined } from '../../shared/util/defined.js'
import { SERVER_NAMES, type ServerName } from '../../shared/util/known-tools.js'
import {
  createEngine,
  type DialectVersion,
  type Policy,
  type PolicyReading,
  readPolicyFile,
} from '../gateway/policy/index.js'
import { serversOf, toolsNamed } from '../gateway/policy/known-tools.js'
import { reviewPolicy } from '../gateway/policy/review.js'
import { plan } from './plan/plan.js'
import { scenarioSteps } from './plan/scenario-steps.js'
import type { Planned } from './plan/step.js'
import type { LeftOpen, Mark, Rehearsal, Row } from './report.js'
import { run } from './run.js'
import { readScenarioFile, type Scenario } from './scenario.js'
import { SecretsSeen } from './secrets-seen.js'
import { Stage } from './stage/stage.js'
import { builtin } from './via/builtin-gateway.js'
import type { OpenWay, Way } from './via/gateway.js'

export { junitXml } from './junit.js'
export type { Rehearsal, Row } from './report.js'
export { reportText } from './report.js'
export { builtin } from './via/builtin-gateway.js'
export { type CommandOptions, command, url } from './via/external-gateway.js'

export interface RehearseOptions {
  /** The file of the policy. */
  policy: string
  /** The published version of Intercept's language by which the policy is read and judged. Default: the newest. */
  dialect?: DialectVersion
  /** The file of a scenario. Default: one that touches everything the policy says. */
  scenario?: string
  /** Default: what the policy's tools tell. */
  server?: ServerName | 'both'
  /** The gateway to go through. Default: the builtin one, which enforces this policy. */
  via?: OpenWay
  /** Of the stand-ins. Default: free ones. */
  ports?: { instanode: number; safebot: number }
  /** Ends the rehearsal early. Gateways that it started are ended before it rejects. */
  signal?: AbortSignal
  /**
   * How long the journal is watched behind the last row, in milliseconds: a gateway may forward a denied call later.
   * Default: 5 s, and nothing for the builtin gateway.
   */
  watchMs?: number
  /** The longest that is waited for time to pass where a gateway keeps its own, in milliseconds. Default 0. */
  waitWindowsMs?: number
  /** When the rehearsal ends and tells what it left out, in milliseconds. Default 10 minutes. */
  timeoutMs?: number
  /** The names of checks that are switched off, to prove that each finds something. Default: none. */
  without?: readonly string[]
}

const WATCH_MS = 5000
const TIMEOUT_MS = 10 * 60_000

/** Warnings of a policy's review about calls that the policy leaves open. */
const OPEN = ['tools_left_open', 'read_that_writes']

/**
 * Carries out a policy: calls go through a gateway to stand-ins that note what reaches them, and each is
 * held against what the policy says of it.
 *
 * @throws PolicyRefusal for a policy that cannot be read; Refusal for a scenario that cannot, or a
 *   gateway that does not start; the reason of `signal`
 */
export async function rehearse(options: RehearseOptions): Promise<Rehearsal> {
  const { policy: file, signal } = options
  const reading = await readPolicyFile(file, options.dialect)
  const { policy } = reading
  const scenario = options.scenario === undefined ? undefined : await readScenarioFile(options.scenario)
  const servers = serversConcerned(reading, options.server ?? scenario?.server, scenario)
  const decoy = decoyFor(policy)
  const stage = await Stage.open({ servers, decoy, ...defined({ ports: options.ports }) })
  const machine = new Clock()
  try {
    const way = await (options.via ?? builtin(policy))(stage, namesIn(scenario))
    try {
      const clock = way.advances ? stage.clock : machine
      const secrets = new SecretsSeen()
      const running = async () =>
        run(await planned({ policy, servers, stage, scenario, way, title: options.scenario ?? '' }), {
          stage,
          way,
          policy,
          secrets,
          engine: createEngine(policy, clock),
          now: () => clock.now(),
          watchMs: options.watchMs ?? (way.advances ? 0 : WATCH_MS),
          waitWindowsMs: options.waitWindowsMs ?? 0,
          timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
          off: new Set(options.without),
        })
      const { rows, stopped } = await unlessAborted(signal, running)
      const counts = countsOf(rows)
      return {
        policy: { file, dialect: policy.dialect, default: policy.default },
        via: way.name,
        servers,
        scenario: options.scenario ?? null,
        rows,
        open: leftOpen(reading, secrets),
        counts,
        stopped,
        ok: counts.wrong === 0 && counts.ok > 0 && stopped === null,
      }
    } finally {
      await way.close()
    }
  } finally {
    machine.close()
    await stage.close()
  }
}

/** The result of `work`, which is not waited for any longer once the signal is aborted. @throws its reason */
async function unlessAborted<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  if (signal === undefined) return work()
  signal.throwIfAborted()
  let onAbort = (): void => undefined
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason)
  })
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([work(), aborted])
  } finally {
    // Several rehearsals may go by one signal.
    signal.removeEventListener('abort', onAbort)
  }
}

interface Planning {
  policy: Policy
  servers: readonly ServerName[]
  stage: Stage
  scenario: Scenario | undefined
  way: Way
  /** Of the scenario. */
  title: string
}

async function planned({ policy, servers, stage, scenario, way, title }: Planning): Promise<Planned[]> {
  if (scenario !== undefined) return [{ title, fresh: false, steps: scenarioSteps(scenario) }]
  const { decoy, clock } = stage
  const sessions = way.newSession !== undefined
  const approves = way.approve !== undefined
  const { advances } = way
  const examples = await stage.examples()
  return plan({ policy, servers, decoy, sessions, approves, advances, examples, start: clock.now() })
}

/** The name of a tool that a policy does not name. */
function decoyFor(policy: Policy): string {
  let name = 'export_account'
  while (policy.tools.has(name) || policy.hide.includes(name)) name += '_2'
  return name
}

/** @throws Refusal `which_server` if nothing tells */
function serversConcerned(
  { policy }: PolicyReading,
  asked: ServerName | 'both' | undefined,
  scenario: Scenario | undefined,
): ServerName[] {
  if (asked === 'both') return [...SERVER_NAMES]
  if (asked !== undefined) return [asked]
  const called = scenario?.steps.flatMap(step => ('call' in step ? [step.call] : [])) ?? []
  const named = toolsNamed(policy)
  const servers = serversOf([...named, ...called])
  if (servers.length > 0) return servers
  const names = named.length === 0 ? 'names no tools' : `names ${named.join(', ')}, of neither server`
  const hint = 'say which it is for with --server instanode, safebot or both'
  throw new Refusal('which_server', `the policy ${names}`, hint)
}

/** Those who call: each is to be a grant. */
function namesIn(scenario: Scenario | undefined): string[] {
  const named =
    scenario?.steps.flatMap(step => ('as' in step && step.as !== undefined ? [step.as] : [])) ?? []
  return [...new Set(['agent', ...(scenario === undefined ? ['other'] : named)])]
}

function leftOpen(reading: PolicyReading, secrets: SecretsSeen): LeftOpen[] {
  return [
    ...reviewPolicy(reading)
      .filter(({ code }) => OPEN.includes(code))
      .map(({ code, message }) => ({ code, message })),
    ...secrets.sentences().map(message => ({ code: 'secret', message })),
  ]
}

function countsOf(rows: readonly Row[]): Record<Mark, number> {
  const count = (mark: Mark) => rows.filter(row => row.mark === mark).length
  return { ok: count('ok'), wrong: count('wrong'), unchecked: count('unchecked') }
}
