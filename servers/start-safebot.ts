import type { ControlledServer } from '../shared/control/controlled.js'
import type { SafebotState } from '../shared/control/schemas/safebot-state.js'
import type { Instance } from '../shared/instance.js'
import { type CommonOptions, listenOptions, type Started } from './handles.js'
import { Safebot, type SafebotOptions } from './safebot/index.js'

export interface RunningSafebot {
  readonly mcpUrl: string
  readonly apiUrl: string
  /** An SDK client in this process, initialized. */
  connect: Safebot['connect']
}

/** @param port 0: a free one */
export async function startSafebot(
  instance: Instance,
  common: CommonOptions,
  { contract }: Pick<SafebotOptions, 'contract'>,
  port: number | undefined,
): Promise<Started<RunningSafebot, ControlledServer<SafebotState>>> {
  const listen = listenOptions(common, port)
  const { safebot, url } = await Safebot.listen(instance, listen, contract === undefined ? {} : { contract })
  return {
    running: { mcpUrl: `${url}/mcp`, apiUrl: url, connect: identity => safebot.connect(identity) },
    controlled: safebot.controlled(),
    close: () => safebot.close(),
  }
}
