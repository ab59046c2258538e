import { fc } from '@fast-check/vitest'
import type { ContractName } from '../../../shared/contract.js'
import { type Answer, type Asked, applicable, broken, type Promised } from './promise.js'

const SEED = 24
const RUNS = 5
const MAX_STEPS = 120

/** A request and its answer. */
export interface Exchange<Request> {
  readonly asked: Request
  readonly answer: Answer
}

/** A server that was started, and makes requests of itself. */
export interface Run<Request> {
  /** Makes the requests of one step. The seed decides which. */
  step(seed: string): Promise<Exchange<Request>[]>
  close(): Promise<void>
}

export interface Checked<Request extends Asked> {
  readonly start: (contract: ContractName) => Promise<Run<Request>>
  readonly table: readonly Promised<Request>[]
  readonly contract: ContractName
  /** The rows of `contract.ts`. */
  readonly rows: readonly string[]
}

/** The rows of a contract, as the answers of a run have shown them. */
export interface Coverage {
  /** Rows that applied to a request. */
  readonly hit: string[]
  /** Rows of which an answer would break a promise, were the row switched to the other contract. */
  readonly noticed: string[]
  /** Answers that would pass with another status. */
  readonly undecided: number
}

/**
 * Makes requests in an order that a fixed seed decides, and judges every answer.
 *
 * @throws Error naming the first broken promises, the request and the answer
 */
export async function check<R extends Asked>({
  start,
  table,
  contract,
  rows,
}: Checked<R>): Promise<Coverage> {
  const hit = new Set<string>()
  const noticed = new Set<string>()
  let undecided = 0
  const judge = (asked: R, answer: Answer) => {
    const failures = broken(table, asked, answer)
    if (failures.length > 0) throw new Error(inWords(failures, asked, answer))
    for (const { row } of applicable(table, asked)) if (row !== undefined) hit.add(row)
    for (const row of rows) {
      const switched = { ...asked, side: (name: string) => (name === row ? opposite(contract) : contract) }
      if (broken(table, switched, answer).length > 0) noticed.add(row)
    }
    const status = answer.status < 400 ? 418 : 200
    if (broken(table, asked, { ...answer, status }).length === 0) undecided++
  }
  const steps = fc.noBias(fc.array(fc.nat(), { minLength: 1, maxLength: MAX_STEPS, size: 'max' }))
  const property = fc.asyncProperty(steps, async seeds => {
    const run = await start(contract)
    try {
      for (const seed of seeds)
        for (const { asked, answer } of await run.step(String(seed))) judge(asked, answer)
    } finally {
      await run.close()
    }
  })
  await fc.assert(property, { seed: SEED, numRuns: RUNS, endOnFailure: true })
  return { hit: [...hit].sort(), noticed: [...noticed].sort(), undecided }
}

function opposite(contract: ContractName): ContractName {
  return contract === 'documented' ? 'observed' : 'documented'
}

function inWords<R extends Asked>(failures: readonly Promised<R>[], asked: R, answer: Answer): string {
  const promises = failures.map(({ what, source }) => `"${what}" (${source})`).join(' and ')
  return `broken: ${promises}\nrequest: ${JSON.stringify(asked)}\nanswer: ${answer.status} ${answer.text.slice(0, 500)}`
}
