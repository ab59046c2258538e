import { isMap, isNode, LineCounter, parseDocument } from 'yaml'
import { z } from 'zod'
import { Refusal } from '../../shared/errors.js'
import { checked, type NameOf, oneKind, strict } from '../../shared/util/check.js'
import { closestName } from '../../shared/util/closest-name.js'
import { isObject } from '../../shared/util/objects.js'
import { FileError, readRegularFile } from '../../shared/util/read-file.js'
import { cut } from '../../shared/util/shown.js'
import { KNOWN_TOOLS, knownTool } from '../gateway/policy/known-tools.js'
import { windowName } from '../gateway/policy/model.js'
import { checkNaming } from './tool-names.js'

const MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

const name = z.string().min(1)
/** The name of the caller, which is also the name of its grant. */
const as = name.exactOptional()
/**
 * The arguments of a call. A string that begins with `$` is a reference to a prepared or kept value. See
 * `PreparedValues` in stage/fixtures.ts.
 */
const args = z.unknown()

const expected = z
  .enum(['allow', 'deny', 'approve'], { error: 'it is allow, deny or approve' })
  .exactOptional()
  .describe('the outcome that the author of the scenario expects')

const DURATION = 'is a number of milliseconds, or a number and one of the units ms, s, m, h, d, e.g. 60s'

/** A duration. The output is in milliseconds. */
const duration = z.union(
  [
    z.int().min(0),
    z
      .string()
      .regex(/^\d+(ms|s|m|h|d)$/)
      .transform(text => Number.parseInt(text, 10) * unitOf(text)),
  ],
  { error: ({ input }) => (input === undefined ? undefined : DURATION) },
)

const PER = 'the length of a window, or the time in which an empty bucket refills, e.g. 60s'

const limitFields = strict({
  calls: z.int().min(1).describe('maximum number of calls in one window, or in a full bucket'),
  per: z
    .unknown()
    .refine(value => value !== undefined, { error: PER })
    .pipe(duration)
    .refine(ms => ms > 0, { error: PER })
    .describe('length of the window, or the time in which an empty bucket refills'),
  kind: z
    .enum(['window', 'bucket'], { error: 'a limit is a window or a bucket' })
    .default('window')
    .describe(
      'window: `calls` pass, then none until the window ends. bucket: `calls` pass at once, then one more for each token that is refilled',
    ),
})

const limit = z
  .unknown()
  .refine(isObject, { error: 'a limit is a map with calls, per and kind (window or bucket)' })
  .pipe(limitFields)

const stepSchema = oneKind('step', {
  call: strict({
    call: name.describe('a tool'),
    args: args.exactOptional(),
    as,
    times: z.int().min(1).max(1000).exactOptional(),
    expect: expected,
    limit: limit.exactOptional().describe('the calls are allowed up to this limit, and denied beyond it'),
    keep: name.exactOptional().describe('the name by which later steps refer to the structured result'),
    say: z.string().exactOptional().describe('a text for the row of the report'),
  }),
  advance: strict({ advance: duration }),
  list: strict({
    list: z.enum(['instanode', 'safebot']).describe("a server's tools/list"),
    as,
    hides: z.array(name).exactOptional().describe('the tools that the list leaves out'),
  }),
  batch: strict({
    batch: z.array(strict({ call: name, args: args.exactOptional(), expect: expected })).min(1),
    as,
  }),
  approve: strict({
    approve: z.literal(true).describe('approves the previous call, and makes it again'),
  }),
})

const scenarioSchema = strict({
  server: z.enum(['instanode', 'safebot', 'both']).exactOptional(),
  description: z.string().exactOptional(),
  tools: z
    .union([name, z.record(name, name)], {
      error: 'is a pattern, e.g. "inst-{tool-kebab}", or the name that the gateway has for each tool',
    })
    .exactOptional()
    .describe('the names that the gateway has for the tools'),
  steps: z.array(stepSchema).min(1),
})

export type Step = z.output<typeof stepSchema>
export type Scenario = z.output<typeof scenarioSchema>
/** A limit on the calls of one tool by one caller. `per` is in milliseconds. */
export type ScenarioLimit = z.output<typeof limit>

/**
 * Returns the line of a field in a scenario file, counted from 1. For a missing field, returns the line of
 * the object or list that lacks the field.
 */
type LineOf = (path: readonly PropertyKey[]) => number

/** A scenario, with a list of its calls that have no expected outcome. */
export interface ScenarioReading {
  readonly scenario: Scenario
  /**
   * The places of the calls that have neither `expect` nor `limit`, e.g. `scenario.yaml:7:
   * scenario.steps[2]`.
   */
  readonly withoutExpect: readonly string[]
}

/**
 * Reads a scenario from a JSON or YAML file.
 *
 * @throws Refusal `unreadable_scenario`, or `bad_scenario` with each wrong field and its line
 */
export async function readScenarioFile(file: string): Promise<ScenarioReading> {
  const { value, lineOf } = parse(textOf(file), file)
  const nameOf = (path: readonly PropertyKey[]) => `${file}:${lineOf(path)}: scenario`
  const scenario = checked(scenarioSchema, value, 'bad_scenario', nameOf)
  scenario.steps.forEach((step, at) => {
    if (!('call' in step) || step.limit === undefined || (step.expect ?? 'allow') === 'allow') return
    const path = ['steps', at, 'expect']
    throw new Refusal(
      'bad_scenario',
      `${nameOf(path)}.steps[${at}] has a limit and expects ${step.expect}`,
      'leave out one of them: calls up to a limit are allowed, and calls beyond it are denied',
    )
  })
  if (scenario.tools !== undefined) {
    checkNaming(scenario.tools, `${nameOf(['tools'])}.tools`)
    requireKnown(scenario, nameOf)
  }
  const withoutExpect = scenario.steps.flatMap((step, at) => {
    const place = `${nameOf(['steps', at])}.steps[${at}]`
    if ('call' in step) return step.expect === undefined && step.limit === undefined ? [place] : []
    if (!('batch' in step)) return []
    return step.batch.flatMap(({ expect }, index) =>
      expect === undefined ? [`${nameOf(['steps', at, 'batch', index])}.steps[${at}].batch[${index}]`] : [],
    )
  })
  return { scenario, withoutExpect }
}

/** Checks that each tool under `tools` is a tool of a stand-in, or is called by the scenario. */
function requireKnown({ tools, steps }: Scenario, nameOf: NameOf): void {
  if (typeof tools !== 'object') return
  const called = steps.flatMap(step => ('call' in step ? [step.call] : []))
  const unknown = Object.keys(tools).find(tool => knownTool(tool) === undefined && !called.includes(tool))
  if (unknown === undefined) return
  const closest = closestName(unknown, [...Object.keys(KNOWN_TOOLS), ...called])
  throw new Refusal(
    'bad_scenario',
    `${nameOf(['tools', unknown])}.tools names ${JSON.stringify(unknown)}, which is no tool of a stand-in`,
    closest === undefined ? 'leave it out' : `${JSON.stringify(closest)} is probably meant`,
  )
}

/**
 * Checks that a scenario can be judged without a policy.
 *
 * @throws Refusal `no_expect` with the line of each call that has no expected outcome
 */
export function requireExpect({ withoutExpect }: ScenarioReading): void {
  if (withoutExpect.length === 0) return
  throw new Refusal(
    'no_expect',
    withoutExpect.map(place => `${place} has no expect`).join('; '),
    'without a policy, give each call an expect (allow, deny or approve) or a limit, e.g. {calls: 30, per: 60s}',
  )
}

/** Returns whether the text of a file is a scenario and not a policy. Only a scenario has `steps`. */
export function isScenario(text: string): boolean {
  const document = parseDocument(text, { schema: 'core', logLevel: 'silent' })
  return isMap(document.contents) && document.contents.has('steps')
}

/** Describes a limit, e.g. `30 per minute, as a bucket`. */
export function limitWords({ calls, per, kind }: ScenarioLimit): string {
  const words = `${calls} per ${windowName(per)}`
  return kind === 'window' ? words : `${words}, as a bucket`
}

/** Parses a JSON or YAML text. One parser reads both, because JSON is valid YAML. */
function parse(text: string, file: string): { value: unknown; lineOf: LineOf } {
  const counter = new LineCounter()
  const options = { schema: 'core', strict: true, uniqueKeys: true, lineCounter: counter } as const
  const document = parseDocument(text, options)
  const [problem] = [...document.errors, ...document.warnings]
  if (problem !== undefined) throw unreadable(file, cut(problem.message.split('\n', 1)[0] ?? ''))
  const lineOf: LineOf = path => {
    for (let length = path.length; length > 0; length--) {
      const node = document.getIn(path.slice(0, length), true)
      if (isNode(node) && node.range) return counter.linePos(node.range[0]).line
    }
    return 1
  }
  return { value: document.toJS({ maxAliasCount: 0 }), lineOf }
}

function unitOf(text: string): number {
  const unit = text.replace(/\d+/, '')
  return unit === 'ms' || unit === 's' || unit === 'm' || unit === 'h' || unit === 'd' ? MS[unit] : Number.NaN
}

function textOf(file: string): string {
  try {
    return readRegularFile(file).toString('utf8')
  } catch (error) {
    throw error instanceof FileError ? unreadable(file, error.message) : error
  }
}

function unreadable(file: string, why: string): Refusal {
  const hint = 'name a JSON or YAML file: a map with a list of steps'
  return new Refusal(
    'unreadable_scenario',
    `the scenario ${JSON.stringify(file)} cannot be read (${why})`,
    hint,
  )
}
