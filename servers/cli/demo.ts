import { demo as playDemo } from '../demo/index.js'
import type { ParsedArgs } from './commands.js'
import { policyFiles } from './gateway-options.js'
import { shutdownSignal } from './serve.js'

/**
 * `understudy demo`: runs the servers, their gateways and two agents, and prints each step.
 *
 * @returns the exit code
 */
export async function demo({ options }: ParsedArgs<'demo'>): Promise<number> {
  return playDemo({
    fast: options.fast,
    policies: await policyFiles(options.policy),
    controlPort: options['control-port'],
    shutdown: shutdownSignal(),
  })
}
