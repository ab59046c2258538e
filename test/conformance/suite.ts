import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The newest release that knows frozen requirements; it does not start under Node 20, so it brings its own Node. */
const PACKAGES = ['node@24', '@modelcontextprotocol/conformance@0.2.0-alpha.12']

export interface ScenarioResult {
  scenario: string
  passed: number
  failed: number
  /** Checks that failed as they were expected to. */
  expected: number
  /** One sentence for each other check that failed or has a warning. */
  complaints: string[]
}

export interface SuiteRun {
  /** Of the MCP endpoint. */
  url: string
  /** The protocol revision that the suite speaks. */
  revision: string
  /** Default: every scenario that the revision requires. */
  scenario?: string
  /** Ids of checks that are expected to fail. */
  expected?: readonly string[]
}

/** Runs the official suite against a server. @throws if the suite itself did not run */
export async function runSuite({
  url,
  revision,
  scenario,
  expected = [],
}: SuiteRun): Promise<ScenarioResult[]> {
  const output = await mkdtemp(join(tmpdir(), 'conformance-'))
  const which = scenario === undefined ? ['--requirements', revision] : ['--spec-version', revision]
  if (scenario !== undefined) which.push('--scenario', scenario)
  try {
    const log = await npx(['conformance', 'server', '--url', url, ...which, '--output-dir', output])
    const results = await readResults(output, expected)
    if (results.length === 0) throw new Error(`the suite ran no scenario:\n${log}`)
    return results
  } finally {
    await rm(output, { recursive: true })
  }
}

/** Ignores the exit code, because the report has the results. */
function npx(command: string[]): Promise<string> {
  const packages = PACKAGES.flatMap(name => ['--package', name])
  return new Promise((resolve, reject) => {
    const child = spawn('npx', ['--yes', ...packages, ...command], { stdio: ['ignore', 'pipe', 'pipe'] })
    let log = ''
    child.stdout.on('data', chunk => {
      log += chunk
    })
    child.stderr.on('data', chunk => {
      log += chunk
    })
    child.on('error', reject)
    child.on('close', () => resolve(log))
  })
}

interface Check {
  id: string
  name: string
  status: string
  errorMessage?: string
}

/** The suite leaves a folder per scenario, named `server-<scenario>-<time>`. */
async function readResults(output: string, expected: readonly string[]): Promise<ScenarioResult[]> {
  const folders = await readdir(output)
  return Promise.all(
    folders.map(async folder => {
      const checks: Check[] = JSON.parse(await readFile(join(output, folder, 'checks.json'), 'utf8'))
      const count = (status: string) => checks.filter(check => check.status === status).length
      const foreseen = checks.filter(check => check.status === 'FAILURE' && expected.includes(check.id))
      const bad = checks.filter(
        check => !foreseen.includes(check) && (check.status === 'FAILURE' || check.status === 'WARNING'),
      )
      return {
        scenario: folder.replace(/^server-/, '').replace(/-\d{4}-\d\d-\d\dT.*$/, ''),
        passed: count('SUCCESS'),
        failed: count('FAILURE') - foreseen.length,
        expected: foreseen.length,
        complaints: bad.map(
          check => `${check.status.toLowerCase()} ${check.name}: ${check.errorMessage ?? ''}`,
        ),
      }
    }),
  )
}
