import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { HistoryEvent } from './event.js'
import type { WorkerLine, WorkerTask } from './worker.js'

const PROGRAM = 'dist-test/test/history/worker.js'

/** A worker, alive until it is killed; then its successor. */
export class Worker {
  readonly #task: WorkerTask
  readonly #note: (event: HistoryEvent) => void
  #lives = 0
  #child: ChildProcess | undefined
  #read: Promise<unknown> = Promise.resolve()

  constructor(task: WorkerTask, note: (event: HistoryEvent) => void) {
    this.#task = task
    this.#note = note
  }

  start(): void {
    const seed = `${this.#task.seed} ${++this.#lives}`
    const child = spawn(process.execPath, [PROGRAM, JSON.stringify({ ...this.#task, seed })], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#child = child
    let begun: HistoryEvent | undefined
    const lines = createInterface({ input: child.stdout })
    lines.on('line', text => {
      const line: WorkerLine = JSON.parse(text)
      // A worker that begins another call saw no answer to the call before.
      if (line.begun !== undefined && begun !== undefined) this.#note(begun)
      begun = line.begun
      if (line.seen !== undefined) this.#note(line.seen)
    })
    this.#read = once(lines, 'close').then(() => {
      if (begun !== undefined) this.#note(begun)
    })
  }

  /** SIGKILL; resolves when all that it saw is known. */
  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL')
    await this.#read
  }
}
