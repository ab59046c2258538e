import { parseDocument } from 'yaml'
import { z } from 'zod'
import { Refusal } from '../../shared/errors.js'
import { checked, oneKind, strict } from '../../shared/util/check.js'
import { FileError, readRegularFile } from '../../shared/util/read-file.js'
import { cut } from '../../shared/util/shown.js'

const MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

const name = z.string().min(1)
/** Who calls: each name is a grant of its own. */
const as = name.exactOptional()
/** A text in it that begins with `$` stands for something prepared or kept: see stage/fixtures.ts. */
const args = z.unknown()

const duration = z.union(
  [
    z.int().min(0),
    z
      .string()
      .regex(/^\d+(ms|s|m|h|d)$/)
      .transform(text => Number.parseInt(text, 10) * unitOf(text)),
  ],
  { error: 'is milliseconds, or a number with ms, s, m, h or d behind it: 60s' },
)

const stepSchema = oneKind('step', {
  call: strict({
    call: name.describe('a tool'),
    args: args.exactOptional(),
    as,
    times: z.int().min(1).max(1000).exactOptional(),
    expect: z
      .enum(['allow', 'deny', 'approve'])
      .exactOptional()
      .describe('what the policy is meant to say; the rehearsal tells if it says otherwise'),
    keep: name.exactOptional().describe('the name that later steps know its structured result by'),
    say: z.string().exactOptional().describe('shown in the table'),
  }),
  advance: strict({ advance: duration }),
  list: strict({ list: z.enum(['instanode', 'safebot']).describe("a server's tools/list"), as }),
  batch: strict({ batch: z.array(strict({ call: name, args: args.exactOptional() })).min(1), as }),
  approve: strict({
    approve: z.literal(true).describe('approves the call before, and makes it again'),
  }),
})

const scenarioSchema = strict({
  server: z.enum(['instanode', 'safebot', 'both']).exactOptional(),
  description: z.string().exactOptional(),
  steps: z.array(stepSchema).min(1),
})

export type Step = z.output<typeof stepSchema>
export type CallStep = Extract<Step, { call: string }>
export type Scenario = z.output<typeof scenarioSchema>

/** Steps that belong together. */
export interface Group {
  readonly title: string
  /** Whether all windows are to have turned before it begins. */
  readonly fresh: boolean
  readonly steps: readonly Step[]
}

/** @throws Refusal `bad_scenario` with every field at fault */
function readScenario(value: unknown, file: string): Scenario {
  return checked(scenarioSchema, value, 'bad_scenario', `${file}: scenario`)
}

function unitOf(text: string): number {
  const unit = text.replace(/\d+/, '')
  return unit === 'ms' || unit === 's' || unit === 'm' || unit === 'h' || unit === 'd' ? MS[unit] : Number.NaN
}

/**
 * A scenario from a JSON or YAML file.
 *
 * @throws Refusal `unreadable_scenario`, `bad_scenario`
 */
export async function readScenarioFile(file: string): Promise<Scenario> {
  const text = textOf(file)
  // JSON is YAML, and told where it is wrong in the same words.
  const document = parseDocument(text, { schema: 'core', strict: true, uniqueKeys: true })
  const [problem] = [...document.errors, ...document.warnings]
  if (problem !== undefined) throw unreadable(file, cut(problem.message.split('\n', 1)[0] ?? ''))
  return readScenario(document.toJS({ maxAliasCount: 0 }), file)
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
