import { fork } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { allMutants, type Finding, type Mutant, runMutant, type Verdict } from './run-mutant.js'

/** More than two would wait for each other's rehearsals on most machines. */
const MAX_PROCESSES = 2

const KINDS = { gateway: 'broken gateways', policy: 'loosened policies' } as const

/**
 * A program: rehearses a policy through each mutant and prints which ones the judge finds.
 *
 * `--only TEXT` runs the mutants whose name contains the text.
 * Exits with 1 if a mutant is missed, or if an equivalent one is found.
 */
async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: '' },
      share: { type: 'string' },
    },
  })
  const mutants = allMutants().filter(({ name }) => name.includes(values.only))
  if (values.share !== undefined) {
    const [index, count] = values.share.split('/').map(Number)
    const share = mutants.filter((_, at) => at % (count ?? 1) === index)
    for (const mutant of share) process.send?.(await runMutant(mutant))
    process.disconnect()
    return 0
  }
  const findings = await shared(mutants)
  const places = new Map(mutants.map(({ name }, at) => [name, at]))
  findings.sort((a, b) => (places.get(a.name) ?? 0) - (places.get(b.name) ?? 0))
  for (const kind of ['gateway', 'policy'] as const)
    printKind(
      kind,
      findings.filter(finding => finding.kind === kind),
    )
  const unfinished = mutants.length - findings.length
  if (unfinished > 0) say(`${unfinished} mutants were not run: a process ended early`)
  return unfinished === 0 && findings.every(({ verdict }) => isRight(verdict)) ? 0 : 1
}

/** Runs the mutants in processes of their own, each a share of them. */
async function shared(mutants: readonly Mutant[]): Promise<Finding[]> {
  const findings: Finding[] = []
  const count = Math.min(MAX_PROCESSES, availableParallelism(), mutants.length)
  const shares = Array.from({ length: count }, async (_, index) => {
    const child = fork(import.meta.filename, [...process.argv.slice(2), '--share', `${index}/${count}`])
    child.on('message', (finding: Finding) => findings.push(finding))
    await once(child, 'exit')
  })
  await Promise.all(shares)
  return findings
}

function printKind(kind: Mutant['kind'], findings: readonly Finding[]): void {
  say(`\n${KINDS[kind]}:\n`)
  const bad = findings.filter(({ verdict }) => !isRight(verdict))
  for (const { verdict, name, why } of [...findings.filter(({ verdict }) => isRight(verdict)), ...bad])
    say(`  ${verdict.padEnd(10)}  ${name}\n              ${why}`)
  const number = (verdict: Verdict) => findings.filter(finding => finding.verdict === verdict).length
  const counts = (['found', 'equivalent', 'missed', 'accused'] as const).map(
    verdict => `${number(verdict)} ${verdict}`,
  )
  say(`\n${findings.length} ${KINDS[kind]}: ${counts.join(', ')}`)
}

function isRight(verdict: Verdict): boolean {
  return verdict === 'found' || verdict === 'equivalent'
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

process.exitCode = await main()
