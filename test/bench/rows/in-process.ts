import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { createUnderstudy } from '#built/servers/understudy/index.js'
import type { Row } from '../row.js'
import { median } from '../statistics.js'

const FIRST = 'dist-test/test/bench/hosts/first-understudy.js'
const STARTS = 9
const TARGET_MS = 30
const AT_ONCE = 200

/** Measures the start of an instance within a test. */
export const inProcess: Row = {
  name: 'in-process',
  async measure() {
    const first: number[] = []
    while (first.length < STARTS) first.push(await inFreshProcess())
    const later: number[] = []
    while (later.length < STARTS) later.push(await startOnce())
    return [
      row(
        `\`createUnderstudy()\` to listening, the first of its process, median of ${STARTS}`,
        median(first),
      ),
      row('the same, the second and later ones', median(later)),
      {
        what: `${AT_ONCE} in one process at once: started, each called, all closed`,
        unit: 'ms',
        ours: await manyAtOnce(),
        target: 'none: told for completeness',
        met: true,
      },
    ]
  },
}

function row(what: string, ms: number) {
  return { what, unit: 'ms', ours: ms, target: `under ${TARGET_MS} ms`, met: ms < TARGET_MS } as const
}

async function inFreshProcess(): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, [FIRST])
  return Number(stdout)
}

async function startOnce(): Promise<number> {
  const begin = performance.now()
  const understudy = await createUnderstudy({ clock: 'manual' })
  const taken = performance.now() - begin
  await understudy.close()
  return taken
}

async function manyAtOnce(): Promise<number> {
  const begin = performance.now()
  const all = await Promise.all(Array.from({ length: AT_ONCE }, () => createUnderstudy({ clock: 'manual' })))
  for (const understudy of all) {
    const response = await fetch(`${understudy.control.url}/readyz`)
    if (!response.ok) throw new Error(`an instance is not ready: ${await response.text()}`)
  }
  await Promise.all(all.map(understudy => understudy.close()))
  return performance.now() - begin
}
