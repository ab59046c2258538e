import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

const PROGRAM = 'dist-test/test/bench/hosts/two-transactions.js'

/** As many as the pool of a replica has. */
const CONNECTIONS = 10
const RUN_MS = 3_000

/** How many pairs of small transactions a second so many processes get done on a PostgreSQL: what two calls could come to at best. */
export async function pairsPerSecond(adminUrl: string, processes: number): Promise<number> {
  const generators = await Promise.all(
    Array.from({ length: processes }, (_, nth) => generator(adminUrl, nth)),
  )
  const results = await Promise.all(generators.map(begin => begin()))
  return results.reduce((sum, pairs) => sum + pairs, 0)
}

/** One that is ready; returns what has it begin. */
async function generator(adminUrl: string, nth: number): Promise<() => Promise<number>> {
  const args = [PROGRAM, adminUrl, String(CONNECTIONS), String(RUN_MS), `bench_rows_${nth}`]
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  await lines.next()
  return async () => {
    child.stdin.write('\n')
    const { value } = await lines.next()
    return Number(value)
  }
}
