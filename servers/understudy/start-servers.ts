import type { ControlledInstanode, ControlledServer, Instance } from '../../shared/instance.js'
import { defined } from '../../shared/util/defined.js'
import type { World } from '../../shared/world/world.js'
import type { UpstreamAccounts } from '../gateway/options.js'
import type { InstanodeHostility } from '../instanode/hostile.js'
import { Instanode, type InstanodeOptions } from '../instanode/index.js'
import type { InstanodeView } from '../instanode/view.js'
import type { SafebotHostility } from '../safebot/hostile.js'
import { Safebot, type SafebotOptions } from '../safebot/index.js'
import type { SafebotView } from '../safebot/view.js'
import { type CommonOptions, listenOptions, type Started } from './handles.js'

interface RunningServer {
  readonly mcpUrl: string
  readonly apiUrl: string
}

export interface RunningInstanode extends RunningServer {
  /** An SDK client in this process, initialized. */
  connect: Instanode['connect']
  /** The accounts there are, with the tokens to call as them. */
  accounts: Instanode['accounts']
  /** Returns the deliveries of a receiver, the newest first. */
  deliveries: Instanode['deliveries']
  /** Calls a listener for every delivery from now on, until the returned function is called. */
  onDelivery: Instanode['onDelivery']
}

export interface RunningSafebot extends RunningServer {
  /** An SDK client in this process, initialized. */
  connect: Safebot['connect']
  /** The URL, key included, of a room of the world. */
  roomUrl: Safebot['roomUrl']
}

export type InstanodeStartOptions = Pick<
  InstanodeOptions,
  'contract' | 'protocol' | 'databases' | 'dataDirectory'
>

export type SafebotStartOptions = Pick<SafebotOptions, 'contract' | 'protocol'>

interface StartRequest<StartOptions, Hostility> {
  instance: Instance
  world: World
  options: CommonOptions & StartOptions
  /** Default 0: a free one. */
  port: number | undefined
  /** The hostile behaviour of the server. Default: none. */
  hostility?: Hostility | undefined
}

/** Starts Instanode on an HTTP port. @throws Refusal, see `Instanode.listen` */
export async function startInstanode({
  instance,
  world,
  options,
  port,
  hostility,
}: StartRequest<InstanodeStartOptions, InstanodeHostility>): Promise<
  Started<RunningInstanode, ControlledInstanode<InstanodeView>> & { accounts: UpstreamAccounts }
> {
  const { contract, protocol, databases, dataDirectory } = options
  const { instanode, url } = await Instanode.listen(instance, listenOptions(options, port), {
    world,
    ...defined({ contract, protocol, databases, dataDirectory, hostility }),
  })
  return {
    running: {
      ...reachedAt(url),
      connect: identity => instanode.connect(identity),
      accounts: () => instanode.accounts(),
      deliveries: token => instanode.deliveries(token),
      onDelivery: listener => instanode.onDelivery(listener),
    },
    controlled: instanode.controlled(),
    accounts: { find: bearer => instanode.delegate(bearer) },
    state: instanode.state,
    close: () => instanode.close(),
  }
}

/** Starts Safebot on an HTTP port. @throws Refusal, see `Safebot.listen` */
export async function startSafebot({
  instance,
  world,
  options,
  port,
  hostility,
}: StartRequest<SafebotStartOptions, SafebotHostility>): Promise<
  Started<RunningSafebot, ControlledServer<SafebotView>>
> {
  const { contract, protocol } = options
  const { safebot, url } = await Safebot.listen(instance, listenOptions(options, port), {
    world,
    ...defined({ contract, protocol, hostility }),
  })
  return {
    running: {
      ...reachedAt(url),
      connect: identity => safebot.connect(identity),
      roomUrl: id => safebot.roomUrl(id),
    },
    controlled: safebot.controlled(),
    state: safebot.state,
    close: () => safebot.close(),
  }
}

function reachedAt(url: string): RunningServer {
  return { mcpUrl: `${url}/mcp`, apiUrl: url }
}
