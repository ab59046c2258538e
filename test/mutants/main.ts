import { fork } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { allMutants, type Finding, type Mutant, runMutant, type Verdict } from './run-mutant.js'

/** More than two would wait for each other's rehearsals on most machines. */
const MAX_PROCESSES = 2

const VERDICTS = ['found', 'equivalent', 'missed', 'accused', 'failed'] as const

const KINDS = {
  correct: 'correct gateways',
  gateway: 'broken gateways',
  policy: 'loosened policies',
} as const

/**
 * A program: rehearses a policy through each mutant and prints which ones the judge finds.
 *
 * `--kind correct`, `gateway` or `policy` runs a part of them. `--only TEXT` runs the mutants whose name contains the text. `--without CHECK` switches a check of the judge off.
 * Exits with 1 if a mutant is missed, or if an equivalent one is accused.
 */
async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      kind: { type: 'string' },
      only: { type: 'string', default: '' },
      without: { type: 'string', multiple: true, default: [] },
      share: { type: 'string' },
    },
  })
  const { kind: wanted, only, without, share } = values
  const mutants = allMutants().filter(
    ({ kind, name }) => (wanted === undefined || kind === wanted) && name.includes(only),
  )
  if (share !== undefined) {
    const [index, count] = share.split('/').map(Number)
    for (const mutant of mutants.filter((_, at) => at % (count ?? 1) === index))
      process.send?.(await runMutant(mutant, without))
    process.disconnect()
    return 0
  }
  const findings = await inProcesses(mutants)
  for (const kind of ['correct', 'gateway', 'policy'] as const) {
    const own = findings.filter(finding => finding.kind === kind)
    if (own.length > 0) say(`${own.length} ${KINDS[kind]}: ${counted(own)}`)
  }
  for (const finding of findings.filter(({ verdict }) => !isRight(verdict))) print(finding)
  const left = mutants.length - findings.length
  if (left > 0) say(`${left} mutants were not run: a process ended early`)
  return left === 0 && findings.every(({ verdict }) => isRight(verdict)) ? 0 : 1
}

/** Runs mutants in processes of their own, each a share of them. Prints each finding as it comes. */
async function inProcesses(mutants: readonly Mutant[]): Promise<Finding[]> {
  const findings: Finding[] = []
  const count = Math.min(MAX_PROCESSES, availableParallelism(), mutants.length)
  const shares = Array.from({ length: count }, async (_, index) => {
    const child = fork(import.meta.filename, [...process.argv.slice(2), '--share', `${index}/${count}`])
    child.on('message', (finding: Finding) => {
      print(finding)
      findings.push(finding)
    })
    await once(child, 'exit')
  })
  await Promise.all(shares)
  return findings
}

function print({ verdict, name, why }: Finding): void {
  say(`${verdict.padEnd(10)}  ${name}\n            ${why}`)
}

function counted(findings: readonly Finding[]): string {
  const number = (verdict: Verdict) => findings.filter(finding => finding.verdict === verdict).length
  return VERDICTS.map(verdict => `${number(verdict)} ${verdict}`).join(', ')
}

function isRight(verdict: Verdict): boolean {
  return verdict === 'found' || verdict === 'equivalent'
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

process.exitCode = await main()
