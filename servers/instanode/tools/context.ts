import { Refusal } from '../../../shared/errors.js'
import type { Contract } from '../contract.js'
import type { Caller, InstanodeService } from '../service.js'

/** What the tools work with. */
export interface ToolKit {
  service: InstanodeService
  contract: Contract
}

/** What the client says when it has no token to send, or the service does not take the one it has. */
export const NEEDS_TOKEN =
  'set INSTANODE_TOKEN (over HTTP: Authorization: Bearer TOKEN) to a token of an account, as get_api_token returns it'

/**
 * Turns down a call that needs an account and brings no token: the client does not ask the service for that.
 *
 * @throws Refusal `no_token`
 */
export function requireToken({ bearer }: Caller): void {
  if (bearer === undefined) throw new Refusal('no_token', 'this tool needs an account', NEEDS_TOKEN)
}
