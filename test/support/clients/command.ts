import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** The built command: `npm test` builds before it runs the tests. */
export const COMMAND = join(import.meta.dirname, '../../../dist/servers/cli.js')

/** Loaded before a command: it ends with the worker that has started it. */
export const END_WITH_PARENT = join(import.meta.dirname, '../run/end-with-parent.mjs')

export interface Exit {
  code: number | null
  stdout: string
  stderr: string
}

/** The environment of the tests, without what it says to the tests themselves: the command warns of names it does not know. */
function inherited(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('UNDERSTUDY_')))
}

/** The `understudy` command as a process, read line by line. */
export class Command {
  readonly process: ChildProcessWithoutNullStreams
  #stdout = ''
  #stderr = ''
  #watch: (() => void) | undefined
  readonly exit: Promise<Exit>

  /** @param program the program to run. Default: the command itself */
  constructor(args: string[], env: Record<string, string> = {}, program = COMMAND) {
    // Two commands of two tests may run at once.
    const ports = { UNDERSTUDY_INSTANODE_PORT: '0', UNDERSTUDY_CONTROL_PORT: '0' }
    this.process = spawn(process.execPath, ['--import', END_WITH_PARENT, program, ...args], {
      env: { ...inherited(), ...ports, ...env },
    })
    this.process.stdout.on('data', (chunk: Buffer) => {
      this.#stdout += chunk.toString('utf8')
      this.#watch?.()
    })
    this.process.stderr.on('data', (chunk: Buffer) => {
      this.#stderr += chunk.toString('utf8')
    })
    this.process.stdin.on('error', () => undefined)
    this.exit = new Promise(resolve => {
      this.process.on('close', code => {
        resolve({ code, stdout: this.#stdout, stderr: this.#stderr })
        this.#watch?.()
      })
    })
    onTestFinished(() => void this.process.kill('SIGKILL'))
  }

  /** The first `count` lines of stdout, once they are there. */
  async lines(count: number): Promise<string[]> {
    for (;;) {
      const lines = this.#stdout.split('\n').slice(0, -1)
      if (lines.length >= count) return lines.slice(0, count)
      if (this.process.exitCode !== null) throw new Error(`the command has ended: ${this.#stderr}`)
      await new Promise<void>(resolve => {
        this.#watch = resolve
      })
    }
  }

  say(message: unknown): void {
    this.process.stdin.write(typeof message === 'string' ? `${message}\n` : `${JSON.stringify(message)}\n`)
  }
}
