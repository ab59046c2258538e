import { parseArgs } from 'node:util'
import { Dice } from '../history/dice.js'
import { checkHttp, checkPostgres, leaks } from './check-answer.js'
import { FuzzedDatabase } from './database.js'
import { dial, exchange } from './exchange.js'
import { httpRequest } from './http-heads.js'
import { postgresRequest } from './postgres-frames.js'
import { Target } from './target.js'

/** Of a hundred requests, so many go to the PostgreSQL port. */
const POSTGRES = 15

/** Requests, after which there are a room, a receiver and sessions again: a request may have reset the instance. */
const REFRESHED_EVERY = 100

/** How often in a run the target is reset and its memory read. */
const READINGS = 4

/**
 * The last reading of resident memory may be this much above the two first ones, in MiB. After a reset no database engine runs.
 * The rest is what the allocator has not given back.
 */
const MARGIN = 150

/**
 * A program: hostile requests to every listener, by a seed.
 *
 * `--seed TEXT` chooses the requests, `--requests N` how many; `--only N` sends the request of that number alone.
 */
async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      requests: { type: 'string', default: '2000' },
      only: { type: 'string' },
    },
  })
  const { seed, only } = values
  const [first, last] = only === undefined ? [1, Number(values.requests)] : [Number(only), Number(only)]
  const target = await Target.start(seed)
  const counts = { requests: 0, answers: 0, findings: 0 }
  const memory: number[] = []
  const every = Math.max(1, Math.floor((last - first + 1) / READINGS))
  const report = (number: number, found: readonly string[]) => {
    for (const problem of found) {
      counts.findings++
      say(
        `seed ${seed}, request ${number}: ${problem}\n  alone: npm run fuzz -- --seed ${seed} --only ${number}`,
      )
    }
  }
  const database = new FuzzedDatabase(target)
  try {
    await target.learn()
    for (let number = first; number <= last && target.ended === undefined; number++) {
      if (number % REFRESHED_EVERY === 0) await target.refresh()
      const { answered, found } = await request(
        `${seed} ${number}`,
        target,
        database,
        only !== undefined,
      ).catch(error => ({ answered: false, found: [`not sent: ${error}`] }))
      counts.requests++
      if (answered) counts.answers++
      report(number, [...found, ...leaks(target.log, target.unlogged)])
      target.log = ''
      if (target.ended !== undefined) report(number, [target.ended])
      else if (number % every === 0) {
        memory.push(await target.memoryAtRest())
        say(`${number} requests, ${Math.round(memory.at(-1) ?? 0)} MiB at rest`)
      }
    }
  } finally {
    await database.close()
    await target.stop()
  }
  if (target.ended !== undefined && counts.findings === 0) report(last, [target.ended])
  if (only === undefined) report(last, grown(memory))
  say(`seed ${seed}: ${counts.requests} requests, ${counts.answers} answered, ${counts.findings} findings`)
  return counts.findings === 0 ? 0 : 1
}

async function request(
  seed: string,
  target: Target,
  database: FuzzedDatabase,
  shown: boolean,
): Promise<{ answered: boolean; found: string[] }> {
  const dice = new Dice(seed)
  if (dice.percent(POSTGRES)) {
    const messages = postgresRequest(dice)
    if (shown) say(JSON.stringify(messages.bytes.toString('latin1')))
    const { answer, found } = await database.send(messages)
    if (shown) say(JSON.stringify(answer.toString('latin1')))
    return {
      answered: answer.length > 0,
      found: [...checkPostgres(messages, answer), ...found].map(what => `postgres: ${what}`),
    }
  }
  const http = httpRequest(dice, target)
  const where = `${http.listener.name}, ${http.about}`
  if (shown) say(http.bytes.toString('latin1'))
  const socket = await dial(http.listener.port)
  const answer = await exchange(socket, http.bytes, http.complete)
  if (shown) say(answer.toString('latin1'))
  return { answered: answer.length > 0, found: checkHttp(http, answer).map(what => `${where}: ${what}`) }
}

function grown(memory: readonly number[]): string[] {
  const end = memory.at(-1)
  const plateau = Math.max(...memory.slice(0, 2))
  if (memory.length < READINGS || end === undefined || end <= plateau + MARGIN) return []
  return [`memory: ${Math.round(end)} MiB at the end, ${Math.round(plateau)} MiB at its plateau`]
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

process.exitCode = await main()
