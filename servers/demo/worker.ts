import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { CallToolResultSchema } from '@modelcontextprotocol/sdk/types.js'
import { DemoFailure } from './assertions.js'
import type { Job } from './worker-process.js'

const PROGRAM = fileURLToPath(new URL('./worker-process.js', import.meta.url))

/** An agent in a process of its own, so that it can crash. */
export class Worker {
  readonly #process: ChildProcess = fork(PROGRAM, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  readonly #exit: Promise<unknown[]> = once(this.#process, 'exit')
  readonly pid = this.#process.pid

  /** Makes the worker claim a task. @throws DemoFailure if its process exits first */
  async claim(job: Job) {
    this.#process.send(job)
    const exited = this.#exit.then(([code]) => {
      throw new DemoFailure(`the worker: expected a claimed task; its process exited with code ${code}`)
    })
    const [result] = await Promise.race([once(this.#process, 'message'), exited])
    return CallToolResultSchema.parse(result)
  }

  /** Kills the process as a crash would: no handler of it runs. @returns the signal that ended the process */
  async crash(): Promise<unknown> {
    this.#process.kill('SIGKILL')
    const [, signal] = await this.#exit
    return signal
  }
}
