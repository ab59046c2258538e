import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type CallToolResult, CallToolResultSchema } from '@modelcontextprotocol/sdk/types.js'
import { NotAsNarrated } from '../show/as-narrated.js'
import type { Job } from './job.js'

const PROGRAM = fileURLToPath(new URL('./worker-process.js', import.meta.url))

/** An agent that can really crash: another process. */
export class Worker {
  readonly #process: ChildProcess
  readonly #over: Promise<unknown[]>

  constructor() {
    this.#process = fork(PROGRAM, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    this.#over = once(this.#process, 'exit')
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  /** Has it claim a task. @throws NotAsNarrated if it ends before it has answered */
  async claim(job: Job): Promise<CallToolResult> {
    this.#process.send(job)
    const ended = this.#over.then(([code]) => {
      throw new NotAsNarrated(`the worker was to claim a task, and has ended with code ${code}`)
    })
    const [answer] = await Promise.race([once(this.#process, 'message'), ended])
    return CallToolResultSchema.parse(answer)
  }

  /** Kills it as a crash would: it gets to do nothing more. @returns the signal that ended it */
  async crash(): Promise<unknown> {
    this.#process.kill('SIGKILL')
    const [, signal] = await this.#over
    return signal
  }
}
