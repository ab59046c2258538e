import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The newest release that knows frozen requirements; it does not start under Node 20, so it brings its own Node. */
const PACKAGES = ['node@24', '@modelcontextprotocol/conformance@0.2.0-alpha.12']

/** The last revision the servers here speak. */
export const REVISION = '2025-11-25'

export interface ScenarioResult {
  scenario: string
  passed: number
  failed: number
  /** One sentence each, for what failed or was warned of. */
  complaints: string[]
}

/**
 * Runs the official suite against a server.
 *
 * @param url of its MCP endpoint
 * @param scenario one of the suite's; default: all that {@link REVISION} requires
 * @throws if the suite itself did not run
 */
export async function runSuite(url: string, scenario?: string): Promise<ScenarioResult[]> {
  const output = await mkdtemp(join(tmpdir(), 'conformance-'))
  const which = scenario === undefined ? ['--requirements', REVISION] : ['--spec-version', REVISION]
  if (scenario !== undefined) which.push('--scenario', scenario)
  try {
    const log = await npx(['conformance', 'server', '--url', url, ...which, '--output-dir', output])
    const results = await readResults(output)
    if (results.length === 0) throw new Error(`the suite ran no scenario:\n${log}`)
    return results
  } finally {
    await rm(output, { recursive: true })
  }
}

/** What it exits with is of no interest: its report is. */
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
  name: string
  status: string
  errorMessage?: string
}

/** The suite leaves a folder per scenario, named `server-<scenario>-<time>`. */
async function readResults(output: string): Promise<ScenarioResult[]> {
  const folders = await readdir(output)
  return Promise.all(
    folders.map(async folder => {
      const checks: Check[] = JSON.parse(await readFile(join(output, folder, 'checks.json'), 'utf8'))
      const count = (status: string) => checks.filter(check => check.status === status).length
      const bad = checks.filter(check => check.status === 'FAILURE' || check.status === 'WARNING')
      return {
        scenario: folder.replace(/^server-/, '').replace(/-\d{4}-\d\d-\d\dT.*$/, ''),
        passed: count('SUCCESS'),
        failed: count('FAILURE'),
        complaints: bad.map(
          check => `${check.status.toLowerCase()} ${check.name}: ${check.errorMessage ?? ''}`,
        ),
      }
    }),
  )
}
