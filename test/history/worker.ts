import { writeSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { HistoryAgent } from './agent.js'
import { Dice } from './dice.js'
import type { HistoryEvent } from './event.js'

/** The argument of a worker, as JSON. */
export interface WorkerTask {
  readonly handle: string
  readonly room: string
  readonly key: string
  /** Origins of the replicas' Safebots. */
  readonly replicas: readonly string[]
  readonly seed: string
}

/** A line that a worker prints. `begun` is the event to record if the worker prints nothing more. `seen` is the event that it saw. */
export interface WorkerLine {
  readonly begun?: HistoryEvent
  readonly seen?: HistoryEvent
}

/**
 * A program that takes tasks until it is killed. It acknowledges most tasks at once. It keeps some, and tries to acknowledge them
 * when the lease may have run out. It leaves some to the next worker.
 */
async function work({ replicas, seed, ...who }: WorkerTask): Promise<never> {
  const dice = new Dice(seed)
  // Written at once, so that a SIGKILL loses no event that was seen before.
  const note = (begun?: HistoryEvent, seen?: HistoryEvent) =>
    void writeSync(
      1,
      `${JSON.stringify({ ...(begun && { begun }), ...(seen && { seen }) } satisfies WorkerLine)}\n`,
    )
  const agent = new HistoryAgent({ ...who, note })
  for (;;) {
    const claimed = await agent.claim(dice.pick(replicas), 1)
    if (claimed === 'unanswered') await pause(20)
    if (typeof claimed === 'string') continue
    const fate = dice.below(100)
    if (fate < 2) continue
    if (fate < 12) await pause(200 + dice.below(1500))
    else if (fate < 30) await pause(dice.below(20))
    await agent.ack(dice.pick(replicas), claimed)
    if (fate > 95) await agent.ack(dice.pick(replicas), claimed)
  }
}

await work(JSON.parse(process.argv[2] ?? '{}'))
