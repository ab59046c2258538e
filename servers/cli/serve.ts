import type { Instance } from '../../shared/instance.js'
import type { Values } from './options.js'

/** A server that a command runs. */
interface Server {
  close(): Promise<void>
}

/** The connection of one client on stdio. */
interface Conversation {
  /** Resolves when all answers have been written. */
  flush(): Promise<void>
}

/** Returns the listen options from `--host` and `--allow-host`. */
export function address(options: Values<'host' | 'allow-host'>): { host: string; allowedHosts: string[] } {
  return { host: options.host, allowedHosts: options['allow-host'] }
}

/** Prints the URL of a server, and runs it until a shutdown signal. */
export async function runHttp(server: Server, url: string): Promise<void> {
  const shutdown = shutdownSignal()
  process.stdout.write(`${url}/mcp\n`)
  await shutdown
  await server.close()
}

/**
 * Runs a server on stdio until its client closes its end, or until a shutdown signal. Then ends waiting
 * requests and writes all answers.
 *
 * @param serve starts the conversation. It calls `onEnd` when the client has closed its end.
 */
export async function runStdio(server: Server, serve: (onEnd: () => void) => Conversation): Promise<void> {
  const shutdown = shutdownSignal()
  let conversation: Conversation | undefined
  const ended = new Promise<void>(resolve => {
    conversation = serve(resolve)
  })
  await Promise.race([ended, shutdown])
  await server.close()
  await conversation?.flush()
}

/** Runs `run`, then closes the instance, also after an error. */
export async function withInstance(instance: Instance, run: () => Promise<void>): Promise<void> {
  try {
    await run()
  } finally {
    await instance.close()
  }
}

/**
 * Resolves at the first SIGINT or SIGTERM, or when the reader of stdout has closed its end. A second signal
 * ends the process immediately.
 */
export function shutdownSignal(): Promise<void> {
  return new Promise(resolve => {
    let shutdown = false
    const stop = () => {
      if (shutdown) process.exit(1)
      shutdown = true
      resolve()
    }
    process.on('SIGINT', stop)
    process.on('SIGTERM', stop)
    process.stdout.on('error', () => resolve())
  })
}
