import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { leaks } from '../fuzz/check-answer.js'
import { QUIET_MS, Target, type Usage } from '../fuzz/target.js'
import { Dice } from '../history/dice.js'
import { Load } from './load.js'

const WORKERS = 4

/** Between two looks at a quiet instance: this much load. Short runs have at least four. */
const ROUND_MS = 15_000

/**
 * How much more than at its plateau an instance that does nothing may use at the end. The plateau is the most of the first half of
 * the rounds, but for the first. Memory: an engine of a database takes 100 to 150 MiB, and one more may be awake by chance. Handles:
 * an engine has some 30 files open. Files: a database that is kept ready has some 400.
 */
const MARGIN: Usage = { memory: 200, handles: 40, files: 450 }

/** A program: mixed load for `--minutes N`, by `--seed TEXT`; then compares what an idle instance uses with what it used before. */
async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { seed: { type: 'string', default: '1' }, minutes: { type: 'string', default: '1' } },
  })
  const target = await Target.start(values.seed)
  const load = new Load(target, new Dice(`${values.seed} soak`))
  const rounds = Math.max(4, Math.round((Number(values.minutes) * 60_000) / ROUND_MS))
  const roundMs = (Number(values.minutes) * 60_000) / rounds
  const usage: Usage[] = []
  try {
    for (let round = 1; round <= rounds && target.ended === undefined; round++) {
      const end = performance.now() + roundMs
      const isOver = () => performance.now() > end || target.ended !== undefined
      await Promise.all(Array.from({ length: WORKERS }, () => load.work(isOver)))
      if (target.ended !== undefined) break
      await settle(load)
      const used = target.usage()
      usage.push(used)
      say(`round ${round} of ${rounds}: ${load.done} jobs, ${load.failed} failed, ${inWords(used)}`)
    }
  } finally {
    await target.stop()
  }
  const findings = [
    ...load.findings,
    ...leaks(target.log, target.unlogged),
    ...(target.ended === undefined ? grown(usage) : [target.ended]),
    ...(load.failed > load.done / 4 ? [`${load.failed} jobs failed, ${load.done} did not`] : []),
  ]
  for (const finding of findings) say(finding)
  say(`seed ${values.seed}: ${load.done} jobs, ${load.failed} failed, ${findings.length} findings`)
  return findings.length === 0 ? 0 : 1
}

/** Brings the instance to where it was at its start. */
async function settle(load: Load): Promise<void> {
  await load.control('/faults', [], 'DELETE')
  await load.control('/reset')
  await load.control('/journal', {}, 'DELETE')
  await pause(QUIET_MS)
}

function grown(usage: readonly Usage[]): string[] {
  const last = usage.at(-1)
  const plateau = usage.slice(1, Math.max(2, Math.ceil(usage.length / 2)))
  if (last === undefined || plateau.length === 0) return ['there was no time to find a plateau']
  return (['memory', 'handles', 'files'] as const).flatMap(what => {
    const most = Math.max(...plateau.map(each => each[what]))
    return last[what] <= most + MARGIN[what]
      ? []
      : [`${what}: ${Math.round(last[what])} at the end, ${Math.round(most)} at the plateau`]
  })
}

function inWords({ memory, handles, files }: Usage): string {
  return `${Math.round(memory)} MiB, ${handles} handles, ${files} files`
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

process.exitCode = await main()
