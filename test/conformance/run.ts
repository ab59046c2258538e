import { startServer } from '../support/servers/started-server.js'
import { REVISION, runSuite, type ScenarioResult } from './suite.js'

/** What holds of any server, whatever it offers; the rest of the suite looks for fixtures of its own. */
const GENERIC = [
  'server-initialize',
  'ping',
  'tools-list',
  'dns-rebinding-protection',
  'server-session-lifecycle',
  'server-sse-multiple-streams',
]

/** How many scenarios the suite has for {@link REVISION}: fewer would mean that it did not run them all. */
const ALL = 33

/** A program: the official conformance suite against the stand-in, and against the suite's fixture on the same transport. */
async function main(): Promise<number> {
  const up = ['up', '--instanode-port', '0', '--safebot-port', '0', '--control-port', '0', '--json']
  const generic = await withServer('dist/servers/cli.js', up, async line => {
    const ready: Record<'instanode' | 'safebot', { mcp: string }> = JSON.parse(line)
    const results: ScenarioResult[] = []
    for (const { mcp } of [ready.instanode, ready.safebot]) {
      for (const scenario of GENERIC) results.push(...(await runSuite(mcp, scenario)))
    }
    return results
  })
  report('understudy up, generic scenarios: Instanode, then Safebot', generic)

  const whole = await withServer('dist-test/test/conformance/fixture-server.js', [], url => runSuite(url))
  report("the suite's fixture on this transport, every scenario", whole)

  const results = [...generic, ...whole]
  const failed = results.filter(result => result.failed > 0).length
  const checks = results.reduce((sum, result) => sum + result.passed, 0)
  const missing = 2 * GENERIC.length + ALL - results.length
  if (missing > 0) say(`${missing} scenarios did not run`)
  say(
    `\n${results.length - failed} passed, ${failed + missing} failed (scenarios at ${REVISION}; ${checks} checks)`,
  )
  return failed + missing === 0 ? 0 : 1
}

async function withServer<T>(script: string, args: string[], use: (line: string) => Promise<T>): Promise<T> {
  const server = await startServer(script, args)
  try {
    return await use(server.line)
  } finally {
    await server.stop()
  }
}

function report(title: string, results: ScenarioResult[]): void {
  say(`\n${title}`)
  for (const { scenario, passed, failed, complaints } of results) {
    const counts = `${passed} passed, ${failed} failed`
    const moot =
      passed + failed === 0 ? ' (nothing to check: it is about streams, and answers here are JSON)' : ''
    say(`  ${failed === 0 ? 'ok  ' : 'FAIL'} ${scenario}: ${counts}${moot}`)
    for (const complaint of complaints) say(`       ${complaint}`)
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

process.exitCode = await main()
