import { startServer } from '../support/servers/started-server.js'
import { runSuite, type ScenarioResult } from './suite.js'

interface Revision {
  name: string
  /** Scenarios for any server. The other ones look for fixtures of the suite. */
  generic: readonly string[]
  /** How many scenarios the suite has, extensions aside: fewer would mean that it did not run them all. */
  scenarios: number
  /** Checks that the two servers fail, with the reason. */
  expected: Readonly<Record<string, string>>
}

const NO_DIAGNOSTIC_TOOL = 'it looks for a tool of the suite'
const NOTHING_TO_LIST = 'the server has tools alone'

const REVISIONS: readonly Revision[] = [
  {
    name: '2025-11-25',
    generic: [
      'server-initialize',
      'ping',
      'tools-list',
      'dns-rebinding-protection',
      'server-session-lifecycle',
      'server-sse-multiple-streams',
    ],
    scenarios: 33,
    expected: {},
  },
  {
    name: '2026-07-28',
    generic: [
      'server-stateless',
      'tools-list',
      'dns-rebinding-protection',
      'http-header-validation',
      'caching',
      'server-sse-multiple-streams',
      'input-required-result-unsupported-methods',
    ],
    scenarios: 40,
    expected: {
      'sep-2575-server-rejects-undeclared-capability': NO_DIAGNOSTIC_TOOL,
      'sep-2575-missing-capability-http-400': NO_DIAGNOSTIC_TOOL,
      'sep-2575-http-server-no-independent-requests-on-stream': NO_DIAGNOSTIC_TOOL,
      'sep-2575-server-no-log-without-loglevel': NO_DIAGNOSTIC_TOOL,
      'sep-2549-prompts-list-caching-hints': NOTHING_TO_LIST,
      'sep-2549-resources-list-caching-hints': NOTHING_TO_LIST,
      'sep-2549-resources-templates-list-caching-hints': NOTHING_TO_LIST,
    },
  },
]

/** Extensions that no server here has. */
const EXTENSION = /^tasks-/

/** A program: the official conformance suite against the stand-in, and against the suite's fixture on the same transport. */
async function main(): Promise<number> {
  let failed = 0
  for (const revision of REVISIONS) failed += await runAt(revision)
  return failed === 0 ? 0 : 1
}

/** Returns how many scenarios failed or did not run. */
async function runAt({ name, generic, scenarios, expected }: Revision): Promise<number> {
  const up = ['up', '--instanode-port', '0', '--safebot-port', '0', '--control-port', '0', '--json']
  const ofServers = await withServer('dist/servers/cli.js', up, async line => {
    const ready: Record<'instanode' | 'safebot', { mcp: string }> = JSON.parse(line)
    const results: ScenarioResult[] = []
    for (const { mcp: url } of [ready.instanode, ready.safebot]) {
      for (const scenario of generic) {
        results.push(...(await runSuite({ url, revision: name, scenario, expected: Object.keys(expected) })))
      }
    }
    return results
  })
  report(`${name}: understudy up, generic scenarios: Instanode, then Safebot`, ofServers)
  for (const [check, reason] of Object.entries(expected)) say(`  expected to fail: ${check}: ${reason}`)

  const all = await withServer('dist-test/test/conformance/fixture-server.js', [], url =>
    runSuite({ url, revision: name }),
  )
  const ofFixture = all.filter(({ scenario }) => !EXTENSION.test(scenario))
  report(`${name}: the suite's fixture on this transport, every scenario`, ofFixture)

  const results = [...ofServers, ...ofFixture]
  const failed = results.filter(result => result.failed > 0).length
  const moot = results.filter(isMoot).length
  const checks = results.reduce((sum, result) => sum + result.passed, 0)
  const missing = 2 * generic.length + scenarios - results.length
  if (missing > 0) say(`${missing} scenarios did not run`)
  const passed = results.length - failed - moot
  say(
    `\n${passed} passed, ${failed + missing} failed, ${moot} not applicable (scenarios at ${name}; ${checks} checks)`,
  )
  return failed + missing
}

async function withServer<T>(script: string, args: string[], use: (line: string) => Promise<T>): Promise<T> {
  const server = await startServer(script, args)
  try {
    return await use(server.line)
  } finally {
    await server.stop()
  }
}

/** Without a check, a scenario proves nothing: its subject does not exist here, as streams where answers are JSON. */
function isMoot({ passed, failed, expected }: ScenarioResult): boolean {
  return passed + failed + expected === 0
}

function report(title: string, results: ScenarioResult[]): void {
  say(`\n${title}`)
  for (const result of results) {
    const { scenario, passed, failed, expected, complaints } = result
    const mark = isMoot(result) ? 'n/a ' : failed === 0 ? 'ok  ' : 'FAIL'
    const foreseen = expected > 0 ? `, ${expected} failed as expected` : ''
    say(`  ${mark} ${scenario}: ${passed} passed, ${failed} failed${foreseen}`)
    for (const complaint of complaints) say(`       ${complaint}`)
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

process.exitCode = await main()
