import type { ControlledInstanode, Instance } from '../../shared/instance.js'
import { defined } from '../../shared/util/defined.js'
import type { World } from '../../shared/world/world.js'
import { Instanode, type InstanodeOptions } from '../instanode/index.js'
import type { InstanodeView } from '../instanode/view.js'
import { type CommonOptions, listenOptions, type Started } from './handles.js'

export interface RunningInstanode {
  readonly mcpUrl: string
  readonly apiUrl: string
  /** An SDK client in this process, initialized. */
  connect: Instanode['connect']
  /** The accounts there are, with the tokens to call as them. */
  accounts: Instanode['accounts']
  /** What a receiver has taken, the newest first. */
  deliveries: Instanode['deliveries']
  /** Calls a listener for every delivery from now on, until the returned function is called. */
  onDelivery: Instanode['onDelivery']
}

export type InstanodeStartOptions = Pick<InstanodeOptions, 'contract' | 'databases' | 'dataDirectory'>

/**
 * @param port default 0: a free one
 * @param hostile what an attack has it do
 */
export async function startInstanode(
  instance: Instance,
  world: World,
  options: CommonOptions & InstanodeStartOptions,
  port: number | undefined,
  hostile: Pick<InstanodeOptions, 'hostility'> = {},
): Promise<Started<RunningInstanode, ControlledInstanode<InstanodeView>>> {
  const { contract, databases, dataDirectory } = options
  const { instanode, url } = await Instanode.listen(instance, listenOptions(options, port), {
    world,
    ...hostile,
    ...defined({ contract, databases, dataDirectory }),
  })
  return {
    running: {
      mcpUrl: `${url}/mcp`,
      apiUrl: url,
      connect: identity => instanode.connect(identity),
      accounts: () => instanode.accounts(),
      deliveries: token => instanode.deliveries(token),
      onDelivery: listener => instanode.onDelivery(listener),
    },
    controlled: instanode.controlled(),
    state: instanode.state,
    close: () => instanode.close(),
  }
}
