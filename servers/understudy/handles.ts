import type { Instance } from '../../shared/instance.js'
import type { ListenOptions } from '../../shared/mcp/http/serve.js'
import { defined } from '../../shared/util/defined.js'
import { SERVER_NAMES } from '../../shared/util/known-tools.js'
import type { StatefulPart } from '../../shared/world/stateful-part.js'
import { checkWorld, type World } from '../../shared/world/world.js'
import { openControlPlane } from '../control/control-plane.js'
import type { Controlled } from '../control/controlled.js'
import { KNOWN_TOOLS, knownTool } from '../gateway/policy/known-tools.js'
import { instanodeView } from '../instanode/view.js'
import { safebotView } from '../safebot/view.js'
import { Gateways, type GatewaysOptions, type Upstreams } from './gateways.js'
import { createInstance, type InstanceOptions } from './instance.js'
import { readWorld } from './read-world.js'
import { InstanceState, type Snapshot } from './state.js'

/** Options of an instance with any servers. */
export interface CommonOptions extends InstanceOptions {
  /** Address of every listener. Default `127.0.0.1`. */
  host?: string
  /** Port of the control plane. Default 0: a free port. */
  controlPort?: number
  /** The world at the start: a name in fixtures/worlds, a JSON or YAML file, or the world itself. Default `default`. */
  world?: string | World
  /** Gateways that hold calls to policies, by the server they are in front of. Default: none. */
  gateways?: GatewaysOptions
  /** Host names to accept beside the loopback ones and `host`. */
  allowedHosts?: readonly string[]
  /** Called for `POST /rehearsal/start`. Returns whether a rehearsal was waiting. Default: none waits. */
  onRehearsalStart?: () => boolean
}

/** The parts of a running instance that a test uses, with any servers. */
export interface Handles {
  readonly instance: Instance
  readonly clock: Instance['clock']
  readonly journal: Instance['journal']
  /** Trouble on demand: what goes wrong, on which calls. */
  readonly faults: Instance['faults']
  /** The overlays of the tool lists. */
  readonly catalogue: Instance['catalogue']
  /** The requested gateways: their URLs, decisions and pending approvals. */
  readonly gateways: Gateways
  /** The same over HTTP. */
  readonly control: { readonly url: string }
  /** Back to where a world begins; default: the one this was started with. See {@link InstanceState.reset}. */
  reset(to?: { world?: string | World }): Promise<void>
  /** All there is now, to come back to. See {@link InstanceState.snapshot}. */
  snapshot(): Promise<Snapshot>
  /** Back to what there was, the journal excepted. See {@link InstanceState.restore}. */
  restore(snapshot: Snapshot): Promise<void>
  /** Lets go of what a snapshot takes on disk, or on a server of databases: it cannot be gone back to any more. */
  discard(snapshot: Snapshot): Promise<void>
  /** Answers what is parked, ends every conversation, and leaves nothing running. */
  close(): Promise<void>
}

/** A test may ask an instance that has one server for tools of the other: with a store, the journal has both. */
const ALL_TOOLS = new Map(
  SERVER_NAMES.map(name => [name, Object.keys(KNOWN_TOOLS).filter(tool => knownTool(tool)?.server === name)]),
)

/** A part that has been started. */
export interface Started<Running, Control> {
  running: Running
  controlled: Control
  state: StatefulPart
  close(): Promise<void>
}

/** Starts a server, and has its state kept and its end come with all else. */
export type Begin = <Part extends { state: StatefulPart; close(): Promise<void> }>(
  starting: Promise<Part>,
) => Promise<Part>

/**
 * Starts an instance with the servers that `start` starts, and its control plane.
 *
 * @throws Refusal for options that cannot be met. Nothing is left running then.
 */
export async function withHandles<Running>(
  options: CommonOptions,
  start: (
    instance: Instance,
    world: World,
    begin: Begin,
  ) => Promise<{
    running: Running
    controlled: Pick<Controlled<unknown>, 'instanode' | 'safebot'>
    upstreams: Upstreams
  }>,
): Promise<Handles & Running> {
  const world = await readWorld(options.world ?? 'default')
  const instance = await createInstance(options, ALL_TOOLS)
  const parts: StatefulPart[] = []
  const started: { close(): Promise<void> }[] = []
  const begin: Begin = async starting => {
    const part = await starting
    started.push(part)
    parts.push(part.state)
    return part
  }
  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= closeAll(instance, started)
    return closing
  }
  try {
    const { running, controlled, upstreams } = await start(instance, world, begin)
    const gateways = await begin(
      Gateways.open(instance, options.gateways ?? {}, upstreams, port => listenOptions(options, port)),
    )
    const state = new InstanceState(instance, parts, world)
    // The first to go: a reset under way ends before what it resets.
    started.push(state)
    const handles = {
      reset: (to?: { world?: string | World }) => state.reset(to),
      snapshot: () => state.snapshot(),
      restore: (snapshot: Snapshot) => state.restore(snapshot),
      discard: (snapshot: Snapshot) => state.discard(snapshot),
    }
    const control = await openControlPlane(
      {
        instance,
        ...controlled,
        views: { instanode: instanodeView, safebot: safebotView },
        gateways: gateways.controlled(),
        ...handles,
        ...defined({ startRehearsal: options.onRehearsalStart }),
        reset: async ({ world: to }) => state.reset(to === undefined ? {} : { world: await sent(to) }),
      },
      listenOptions(options, options.controlPort),
    )
    // First in the list is last to go: who waits for something is told that it will not come.
    started.unshift({
      close() {
        instance.journal.stop()
        gateways.stop()
        return control.close()
      },
    })
    const { clock, journal, faults, catalogue } = instance
    const shared = { instance, clock, journal, faults, catalogue, gateways, control: { url: control.url } }
    return { ...running, ...shared, ...handles, close }
  } catch (error) {
    await close()
    throw error
  }
}

export function listenOptions(
  { host, allowedHosts }: CommonOptions,
  port: number | undefined,
): ListenOptions {
  return defined({ host, port, allowedHosts })
}

/** The world that a caller of the control plane names or sends: such a caller has no files here. */
async function sent(world: string | Record<string, unknown>): Promise<World> {
  if (typeof world !== 'string') return checkWorld(world, 'world')
  const { readNamedWorld } = await import('./world-file.js')
  return readNamedWorld(world, 'or send the world itself, as an object')
}

async function closeAll(instance: Instance, started: readonly { close(): Promise<void> }[]): Promise<void> {
  for (const part of started.toReversed()) await part.close()
  await instance.close()
}
