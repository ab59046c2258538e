import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** Names the keeper of a test run for the files of that run. */
export const KEEPER_VARIABLE = 'UNDERSTUDY_TEST_KEEPER'

/** A process that keeps PostgreSQL servers and a folder. It stops the servers and removes the folder when this process ends, however it ends. */
export interface Keeper {
  /** URL at which servers are requested. See `keeper.mjs`. */
  readonly url: string
  /** For the temporary files of this process and its children. */
  readonly folder: string
  /** Resolves once the servers have stopped and the folder is gone. */
  stop(): Promise<void>
}

/** @throws Error if it does not start */
export async function startKeeper(): Promise<Keeper> {
  // The path is relative to the project's folder, for compiled programs start it too. A Ctrl-C in the terminal must not reach it
  // before this process has ended: hence the group of its own.
  const child = spawn(process.execPath, ['test/support/run/keeper.mjs'], {
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  const line = new Promise<string>(resolve => createInterface({ input: child.stdout }).once('line', resolve))
  const failed = exited.then(([code]) => {
    throw new Error(`the keeper of the tests ended with ${code} before it was ready`)
  })
  // The race has this promise until then. Later the exit is the expected one.
  failed.catch(() => undefined)
  const { url, folder }: { url: string; folder: string } = JSON.parse(await Promise.race([line, failed]))
  return {
    ...{ url, folder },
    async stop() {
      child.stdin.end()
      await exited
    },
  }
}
