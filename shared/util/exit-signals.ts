import { constants } from 'node:os'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export interface ExitSignal {
  /** Aborted by the first SIGINT, SIGTERM or SIGHUP. */
  readonly signal: AbortSignal
  /**
   * The exit code by which shells report the signal, for example 130 for SIGINT. Undefined before a signal
   * arrives.
   */
  readonly exitCode: number | undefined
  /** Removes the listeners. A later signal then ends the process without a clean-up. */
  stop(): void
}

/**
 * Listens for signals that ask the process to end, so that the process can clean up first. A second signal
 * ends the process immediately.
 */
export function exitSignal(): ExitSignal {
  const controller = new AbortController()
  let exitCode: number | undefined
  const listener = (name: NodeJS.Signals) => {
    if (exitCode !== undefined) process.exit(exitCode)
    exitCode = 128 + constants.signals[name]
    controller.abort(new Error(`interrupted by ${name}`))
  }
  for (const name of SIGNALS) process.on(name, listener)
  return {
    signal: controller.signal,
    get exitCode() {
      return exitCode
    },
    stop() {
      for (const name of SIGNALS) process.off(name, listener)
    },
  }
}
