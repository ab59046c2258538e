import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { startPostgres } from '../support/databases/postgres-server.js'
import { checkHistory, type Verdict } from './check-history.js'
import { HANDLES, runHistory } from './run-history.js'

const COMMAND = 'dist/servers/cli.js'
const UNFENCED = 'dist-test/test/history/unfenced-replica.js'

/** Violations that are told one by one. */
const TOLD = 10

/**
 * A program: three replicas on one PostgreSQL, eight workers, and trouble, by a seed; then judges what everybody saw.
 *
 * `--seed TEXT` replays the decisions of a run. `--seconds N` is how long there is trouble. `--restart` also restarts PostgreSQL,
 * once. `--unfenced` takes a check out of the replicas, and succeeds if the run finds that out.
 */
async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: randomBytes(4).toString('hex') },
      seconds: { type: 'string', default: '20' },
      restart: { type: 'boolean', default: false },
      unfenced: { type: 'boolean', default: false },
    },
  })
  const { seed, restart, unfenced } = values
  const program = unfenced ? UNFENCED : COMMAND
  const verdict = await judgedRun({ seed, runMs: Number(values.seconds) * 1000, program, restart })
  const { violations, counts } = verdict
  for (const { rule, where, what } of violations.slice(0, TOLD)) say(`  ${rule}: ${where}: ${what}`)
  say(
    `seed ${seed}: ${counts.sends} sent, ${counts.deliveries} delivered, ${counts.redeliveries} of them again, ` +
      `${counts.acknowledged} acknowledged, ${counts.refused} refused as stale, ${counts.unanswered} unanswered, ` +
      `${counts.troubles} times trouble: ${violations.length} violations`,
  )
  const right = unfenced ? foundOut(verdict) : violations.length === 0 && tried(verdict)
  if (!right) say(`replay it with --seed ${seed}`)
  return right ? 0 : 1
}

/** Whether the run was one that could have gone wrong. */
function tried({ counts }: Verdict): boolean {
  const { sends, redeliveries, refused, troubles } = counts
  const enough = sends > 0 && redeliveries > 0 && refused > 0 && troubles > 0
  if (!enough) say('nothing was delivered again, or nothing refused: that proves nothing')
  return enough
}

function foundOut({ violations }: Verdict): boolean {
  const found = violations.some(({ rule }) => rule === 'stale acknowledgement accepted')
  say(found ? 'the check that is missing was found out' : 'the check that is missing was not found out')
  return found
}

interface JudgedRun {
  seed: string
  runMs: number
  program: string
  /** Whether PostgreSQL is restarted. */
  restart: boolean
}

async function judgedRun({ seed, runMs, program, restart }: JudgedRun): Promise<Verdict> {
  const postgres = await startPostgres()
  if (restart && postgres.restart === undefined) {
    throw new Error('--restart needs a PostgreSQL of its own: unset UNDERSTUDY_TEST_POSTGRES')
  }
  const admin = new pg.Pool({ connectionString: postgres.adminUrl, max: 1 })
  // A restart breaks the idle connection. The pool opens another.
  admin.on('error', () => undefined)
  const schema = `history_${seed
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '_')
    .slice(0, 20)}`
  const store = new URL(postgres.adminUrl)
  store.searchParams.set('schema', schema)
  store.searchParams.set('application_name', schema)
  const cut = () =>
    admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1', [
      schema,
    ])
  try {
    await admin.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`)
    const options = { seed, runMs, program, store: store.href, cut }
    const events = await runHistory({ ...options, restart: restart ? postgres.restart : undefined })
    return checkHistory(events, HANDLES)
  } finally {
    await admin.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`)
    await admin.end()
    await postgres.close()
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

process.exitCode = await main()
