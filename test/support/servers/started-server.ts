import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

export interface StartedServer {
  readonly process: ChildProcess
  /** The first line it printed. */
  readonly line: string
  stop(): Promise<void>
}

/**
 * Starts a Node program that prints a line once it serves.
 *
 * @param script relative to the project's folder, which the npm scripts run in
 * @param options `ready`: what the line must match, if not the first will do; `stream`: where it is printed
 * @throws if the program ends before that
 */
export async function startServer(
  script: string,
  args: string[],
  options: {
    ready?: RegExp
    stream?: 'stdout' | 'stderr'
    env?: NodeJS.ProcessEnv
    nodeArgs?: string[]
  } = {},
): Promise<StartedServer> {
  const { ready = /./, stream = 'stdout', env = {}, nodeArgs = [] } = options
  const child = spawn(process.execPath, [...nodeArgs, script, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  let said = ''
  const line = await new Promise<string>((resolve, reject) => {
    for (const name of ['stdout', 'stderr'] as const) {
      // Read to the end in any case: a full pipe would hold the program up.
      createInterface({ input: child[name] }).on('line', text => {
        if (said.length < 10_000) said += `${text}\n`
        if (name === stream && ready.test(text)) resolve(text)
      })
    }
    child.on('error', reject)
    child.on('exit', code => reject(new Error(`${script} ended with ${code} before it was ready:\n${said}`)))
  })
  return {
    process: child,
    line,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'exit')
      child.kill()
      await ended
    },
  }
}
