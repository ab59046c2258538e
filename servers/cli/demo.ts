import { demo as playDemo } from '../demo/index.js'
import type { ParsedArgs } from './commands.js'
import { policyFiles } from './gateway-options.js'
import { shutdownSignal } from './serve.js'

/**
 * Runs `understudy demo`: starts the stand-ins, their gateways and two agents, and explains each step.
 *
 * @returns the exit code: 0, or 1 if a check in the demo has failed
 */
export async function demo({ options }: ParsedArgs<'demo'>): Promise<number> {
  return playDemo({
    fast: options.fast,
    policies: await policyFiles(options.policy),
    controlPort: options['control-port'],
    shutdown: shutdownSignal(),
  })
}
