import { Clock } from '../../shared/clock/clock.js'
import { Refusal } from '../../shared/errors.js'
import { SERVER_NAMES, type ServerName } from '../../shared/util/known-tools.js'
import { defined } from '../../shared/util/objects.js'
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
import { type Planned, repeated, type Step } from './plan/step.js'
import type { LeftOpen, Mark, Rehearsal, Row } from './report.js'
import { run } from './run.js'
import { readScenarioFile, requireExpect, type Scenario } from './scenario.js'
import { SecretsSeen } from './secrets-seen.js'
import { Stage, type StandIns } from './stage/stage.js'
import { checkNaming, type ToolNaming } from './tool-names.js'
import { builtin } from './via/builtin-gateway.js'
import { REVISION } from './via/caller.js'
import type { OpenWay, Way } from './via/gateway.js'
import { withToolNames } from './via/renamed-tools.js'

export type { Rehearsal, Row } from './report.js'
export { junitXml, reportText } from './report.js'
export { ACCOUNT_TOKEN } from './stage/fixtures.js'
export type { StandIns } from './stage/stage.js'
export { builtin } from './via/builtin-gateway.js'
export { type CommandOptions, command, url } from './via/external-gateway.js'

export interface RehearseOptions {
  /** The policy file. Without a policy, the scenario gives the expected outcome of each call. */
  policy?: string
  /** The version of Intercept's policy language in which the policy is written. Default: the newest. */
  dialect?: DialectVersion
  /** The scenario file. Default: the rehearsal plans calls that test every rule of the policy. */
  scenario?: string
  /**
   * The stand-ins that take part. Default: the servers of the tools that the policy and the scenario name.
   */
  server?: ServerName | 'both'
  /** The gateway to test. Default: the builtin gateway with `policy`. Required if there is no policy. */
  via?: OpenWay
  /**
   * The MCP revision that the callers speak, e.g. `2026-07-28`. Default 2025-03-26, the last revision with
   * batches.
   */
  protocol?: string
  /**
   * The names that the gateway has for the tools. Default: the names under `tools` in the scenario. If the
   * scenario has no `tools`, the names are those of the stand-ins.
   */
  tools?: ToolNaming
  /** Ports of the stand-ins. Default: free ports. */
  ports?: { instanode: number; safebot: number; control?: number }
  /**
   * Called when the stand-ins listen and before the gateway is used. The rehearsal starts when the promise
   * resolves. A `POST /rehearsal/start` also starts it, and aborts the signal. Default: the rehearsal starts
   * immediately.
   */
  attach?: (standIns: StandIns, signal: AbortSignal) => Promise<void>
  /** Ends the rehearsal early. `rehearse` first ends the gateways that it started, and then rejects. */
  signal?: AbortSignal
  /**
   * How long the journal is watched after the last row, in milliseconds, because a gateway may forward a
   * denied call later. Default: 5000, or 0 for the builtin gateway.
   */
  watchMs?: number
  /**
   * Maximum wait for the end of a window, in milliseconds, if the gateway does not use the rehearsal's clock.
   * Default 0.
   */
  waitWindowsMs?: number
  /**
   * Time after which the rehearsal ends, in milliseconds. Rows that have not run by then are reported as
   * unchecked. Default 600000: 10 minutes.
   */
  timeoutMs?: number
  /**
   * The names of checks that are switched off. Tests switch off single checks to prove that each check is
   * needed. Default: none.
   */
  without?: readonly string[]
}

const WATCH_MS = 5000
const TIMEOUT_MS = 10 * 60_000

/** The codes of the warnings by `reviewPolicy` that the report repeats. */
const REPORTED_WARNINGS = ['tools_left_open', 'read_that_writes']

/**
 * Runs a rehearsal: sends calls through a gateway to stand-ins, which record the calls that arrive. Then
 * judges each call by a policy or a scenario.
 *
 * @throws PolicyRefusal for a policy that cannot be read
 * @throws Refusal for a scenario that cannot be read, or for a gateway that does not start
 * @throws Refusal if there is no policy, and either the scenario or the gateway is missing
 * @throws the reason of `signal` when the signal is aborted
 */
export async function rehearse(options: RehearseOptions): Promise<Rehearsal> {
  const { policy: file, signal, protocol = REVISION } = options
  const reading = file === undefined ? undefined : await readPolicyFile(file, options.dialect)
  const policy = reading?.policy
  const scenario = await readScenario(options)
  const servers = serversConcerned(policy, options.server ?? scenario?.server, scenario)
  const naming = options.tools ?? scenario?.tools
  if (options.tools !== undefined) checkNaming(options.tools, '--tools')
  const open = options.via ?? builtinFor(policy)
  const via = naming === undefined ? open : withToolNames(open, naming)
  const stage = await Stage.open({
    servers,
    waits: options.attach !== undefined,
    ...defined({ decoy: policy && decoyFor(policy), ports: options.ports }),
  })
  const machine = new Clock()
  try {
    await unlessAborted(signal, () => startOf(stage, options))
    const way = await via(stage, namesIn(scenario), protocol)
    try {
      const clock = way.advances ? stage.clock : machine
      const secrets = new SecretsSeen()
      const running = async () =>
        run(await planned({ policy, servers, stage, scenario, way, title: options.scenario ?? '' }), {
          stage,
          way,
          policy,
          secrets,
          engine: policy && createEngine(policy, clock),
          now: () => clock.now(),
          watchMs: options.watchMs ?? (way.advances ? 0 : WATCH_MS),
          waitWindowsMs: options.waitWindowsMs ?? 0,
          timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
          off: new Set(options.without),
        })
      const { rows, stopped } = await unlessAborted(signal, running)
      const counts = countsOf(rows)
      return {
        policy:
          file === undefined || policy === undefined
            ? null
            : { file, dialect: policy.dialect, default: policy.default },
        via: way.name,
        protocol,
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

/**
 * Reads the scenario file. Returns undefined if there is a policy and no scenario.
 *
 * @throws Refusal `no_policy` if there is neither a policy nor a scenario
 * @throws Refusal for a scenario that cannot be read, or that needs a policy
 */
async function readScenario({ policy, scenario }: RehearseOptions): Promise<Scenario | undefined> {
  if (scenario === undefined) {
    if (policy !== undefined) return undefined
    throw new Refusal('no_policy', 'there is neither a policy nor a scenario', 'name one of them')
  }
  const reading = await readScenarioFile(scenario)
  if (policy === undefined) requireExpect(reading)
  return reading.scenario
}

/** Returns the builtin gateway for a policy. @throws Refusal `no_gateway` if there is no policy to enforce */
function builtinFor(policy: Policy | undefined): OpenWay {
  if (policy !== undefined) return builtin(policy)
  throw new Refusal(
    'no_gateway',
    'there is no policy that the builtin gateway could enforce',
    'name a policy, or name the gateway to test with --via URL or -- COMMAND',
  )
}

/** Waits for the start of the rehearsal. See `attach`. */
async function startOf(stage: Stage, { attach, signal }: RehearseOptions): Promise<void> {
  if (attach === undefined || stage.startRequested.aborted) return
  const { startRequested, standIns } = stage
  const requested = new Promise<void>(resolve => {
    startRequested.addEventListener('abort', () => resolve(), { once: true })
  })
  const ended = signal === undefined ? startRequested : AbortSignal.any([signal, startRequested])
  await Promise.race([requested, attach(standIns, ended)])
}

/**
 * Resolves with the result of `work`. If the signal is aborted before that, rejects immediately with the
 * reason of the signal.
 */
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
    // The listener is removed, because several rehearsals can share one signal.
    signal.removeEventListener('abort', onAbort)
  }
}

interface Planning {
  policy: Policy | undefined
  servers: readonly ServerName[]
  stage: Stage
  scenario: Scenario | undefined
  way: Way
  /** The title of the scenario's rows. */
  title: string
}

async function planned({ policy, servers, stage, scenario, way, title }: Planning): Promise<Planned[]> {
  if (scenario !== undefined) return [{ title, fresh: false, steps: scenarioSteps(scenario) }]
  const { decoy, clock } = stage
  if (policy === undefined || decoy === undefined) return []
  const sessions = way.newSession !== undefined
  const approves = way.approve !== undefined
  const { advances, bridged = false } = way
  const examples = await stage.examples()
  return plan({ policy, servers, decoy, sessions, approves, advances, bridged, examples, start: clock.now() })
}

/** Returns the name for an additional tool that the policy does not name. */
function decoyFor(policy: Policy): string {
  let name = 'export_account'
  while (policy.tools.has(name) || policy.hide.includes(name)) name += '_2'
  return name
}

/**
 * Returns the servers that take part in the rehearsal.
 *
 * @param asked the servers that the user chose. Default: the servers of the tools that the policy and the
 *   scenario name
 * @throws Refusal `which_server` if the user chose none, and neither the policy nor the scenario names a tool
 *   of a stand-in
 */
function serversConcerned(
  policy: Policy | undefined,
  asked: ServerName | 'both' | undefined,
  scenario: Scenario | undefined,
): ServerName[] {
  if (asked === 'both') return [...SERVER_NAMES]
  if (asked !== undefined) return [asked]
  const called =
    scenario?.steps.flatMap(step => {
      if ('call' in step) return [step.call]
      return 'batch' in step ? step.batch.map(({ call }) => call) : []
    }) ?? []
  const named = [...(policy === undefined ? [] : toolsNamed(policy)), ...called]
  const servers = serversOf(named)
  if (servers.length > 0) return servers
  const what = policy === undefined ? 'scenario' : 'policy'
  const names = named.length === 0 ? 'names no tools' : `names ${named.join(', ')}, of neither server`
  const hint = 'say which it is for with --server instanode, safebot or both'
  throw new Refusal('which_server', `the ${what} ${names}`, hint)
}

/** Returns the names of the callers. The grant of a caller has the same name. */
function namesIn(scenario: Scenario | undefined): string[] {
  const named =
    scenario?.steps.flatMap(step => ('as' in step && step.as !== undefined ? [step.as] : [])) ?? []
  return [...new Set(['agent', ...(scenario === undefined ? ['other'] : named)])]
}

function leftOpen(reading: PolicyReading | undefined, secrets: SecretsSeen): LeftOpen[] {
  return [
    ...(reading === undefined ? [] : reviewPolicy(reading))
      .filter(({ code }) => REPORTED_WARNINGS.includes(code))
      .map(({ code, message }) => ({ code, message })),
    ...secrets.sentences().map(message => ({ code: 'secret', message })),
  ]
}

function countsOf(rows: readonly Row[]): Record<Mark, number> {
  const count = (mark: Mark) => rows.filter(row => row.mark === mark).length
  return { ok: count('ok'), wrong: count('wrong'), unchecked: count('unchecked') }
}

/** Converts the steps of a scenario file to the steps that the rehearsal runs. */
function scenarioSteps({ steps }: Scenario): Step[] {
  return steps.map((step): Step => {
    if ('advance' in step || 'approve' in step) return step
    if ('list' in step) return { as: 'agent', ...step }
    const as = step.as ?? 'agent'
    if ('batch' in step) {
      const calls = step.batch.map(({ call, args = {}, expect }) => ({
        tool: call,
        args,
        as,
        ...defined({ expect }),
      }))
      return { calls, sending: 'as a batch', say: `a batch: ${calls.map(({ tool }) => tool).join(', ')}` }
    }
    const { call, args = {}, times = 1, expect, limit, keep, say } = step
    return repeated({ tool: call, args, as, ...defined({ expect, limit, keep }) }, times, say)
  })
}
