import type { ControlledServer, Instance } from '../../shared/instance.js'
import { defined } from '../../shared/util/defined.js'
import type { World } from '../../shared/world/world.js'
import { Safebot, type SafebotOptions } from '../safebot/index.js'
import type { SafebotView } from '../safebot/view.js'
import { type CommonOptions, listenOptions, type Started } from './handles.js'

export interface RunningSafebot {
  readonly mcpUrl: string
  readonly apiUrl: string
  /** An SDK client in this process, initialized. */
  connect: Safebot['connect']
  /** The URL, key included, of a room of the world. */
  roomUrl: Safebot['roomUrl']
}

export type SafebotStartOptions = Pick<SafebotOptions, 'contract'>

/**
 * @param port default 0: a free one
 * @param hostile what an attack has it do
 */
export async function startSafebot(
  instance: Instance,
  world: World,
  options: CommonOptions & SafebotStartOptions,
  port: number | undefined,
  hostile: Pick<SafebotOptions, 'hostility'> = {},
): Promise<Started<RunningSafebot, ControlledServer<SafebotView>>> {
  const { contract } = options
  const { safebot, url } = await Safebot.listen(instance, listenOptions(options, port), {
    world,
    ...hostile,
    ...defined({ contract }),
  })
  return {
    running: {
      mcpUrl: `${url}/mcp`,
      apiUrl: url,
      connect: identity => safebot.connect(identity),
      roomUrl: id => safebot.roomUrl(id),
    },
    controlled: safebot.controlled(),
    state: safebot.state,
    close: () => safebot.close(),
  }
}
