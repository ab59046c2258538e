import { Refusal } from '../../../shared/errors.js'
import { Callers } from './caller.js'
import { headersOf, type OpenWay } from './gateway.js'
import { HttpCaller } from './http-caller.js'

/**
 * A gateway that runs already, and has the stage's server behind it.
 *
 * @param bearers what it knows its callers by
 */
export function url(mcpUrl: string, bearers: readonly string[] = []): OpenWay {
  return async (stage, names) => {
    if (stage.servers.length > 1) {
      throw new Refusal(
        'one_url',
        'one URL is in front of one server',
        'pick it with --server instanode, or safebot',
      )
    }
    const callers = new Callers((_server, as) =>
      HttpCaller.open({ url: mcpUrl, headers: headersOf(as, names, bearers), machine: stage.machine }),
    )
    return {
      name: mcpUrl,
      advances: false,
      grants: Math.max(1, bearers.length),
      namesRules: false,
      caller: (server, as) => callers.get(server, as),
      close: () => callers.close(),
    }
  }
}
