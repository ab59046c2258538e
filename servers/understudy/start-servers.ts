import type { ControlledInstanode, ControlledServer, Instance } from '../../shared/instance.js'
import { defined } from '../../shared/util/objects.js'
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
  /** Connects an MCP SDK client in this process, and initializes it. */
  connect: Instanode['connect']
  /** Returns all accounts, with their tokens. */
  accounts: Instanode['accounts']
  /** Returns the deliveries of a receiver, the newest first. */
  deliveries: Instanode['deliveries']
  /**
   * Calls `listener` for each new delivery of every receiver.
   *
   * @returns a function that removes the listener
   */
  onDelivery: Instanode['onDelivery']
}

export interface RunningSafebot extends RunningServer {
  /** Connects an MCP SDK client in this process, and initializes it. */
  connect: Safebot['connect']
  /** Returns the URL of a room in the world, with the key of the room. */
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
  /** The HTTP port of the server. Default 0: a free port. */
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
