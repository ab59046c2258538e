import type { Instance } from '../../shared/instance.js'
import type { ListenOptions } from '../../shared/mcp/http/serve.js'
import { SERVER_NAMES } from '../../shared/util/known-tools.js'
import { defined } from '../../shared/util/objects.js'
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

/** The options that every instance has, with one server or both. */
export interface CommonOptions extends InstanceOptions {
  /** The address at which all servers, gateways and the control plane listen. Default `127.0.0.1`. */
  host?: string
  /** Port of the control plane. Default 0: a free port. */
  controlPort?: number
  /**
   * The world at the start: a name in fixtures/worlds, a JSON or YAML file, or the world itself. Default
   * `default`.
   */
  world?: string | World
  /** The gateways to start, by the server that a gateway protects. Default: no gateways. */
  gateways?: GatewaysOptions
  /** Host names to accept in the Host header, in addition to loopback names and `host`. Default: none. */
  allowedHosts?: readonly string[]
  /**
   * Called for `POST /rehearsal/start`. Returns whether a rehearsal was waiting to start. Default: no
   * rehearsal is waiting.
   */
  onRehearsalStart?: () => boolean
}

/** The parts of a running instance that tests use, except the servers. */
export interface Handles {
  readonly instance: Instance
  readonly clock: Instance['clock']
  readonly journal: Instance['journal']
  /** The faults that are set, and the calls to which they apply. */
  readonly faults: Instance['faults']
  /** The overlays that are set, and the lists of tools with these overlays. */
  readonly catalogue: Instance['catalogue']
  /** The gateways that the options name: their URLs, decisions and pending approvals. */
  readonly gateways: Gateways
  /** The control plane, which offers the same functions over HTTP. */
  readonly control: { readonly url: string }
  /**
   * Resets the instance to a world. Default: the world with which it started. See
   * {@link InstanceState.reset}.
   */
  reset(to?: { world?: string | World }): Promise<void>
  /** Copies the whole state, so that it can be restored. See {@link InstanceState.snapshot}. */
  snapshot(): Promise<Snapshot>
  /** Restores the state of a snapshot. The journal is not changed. See {@link InstanceState.restore}. */
  restore(snapshot: Snapshot): Promise<void>
  /** Deletes a snapshot and its copies of databases. A deleted snapshot cannot be restored. */
  discard(snapshot: Snapshot): Promise<void>
  /** Answers waiting requests, ends all connections, and stops all parts of the instance. */
  close(): Promise<void>
}

/**
 * The tools of both servers. An instance with only one server also knows the tools of the other, because the
 * journal in a shared store has entries of both servers.
 */
const ALL_TOOLS = new Map(
  SERVER_NAMES.map(name => [name, Object.keys(KNOWN_TOOLS).filter(tool => knownTool(tool)?.server === name)]),
)

/** A server that has been started. `running` is for tests, and `controlled` is for the control plane. */
export interface Started<Running, Control> {
  running: Running
  controlled: Control
  state: StatefulPart
  close(): Promise<void>
}

/**
 * Waits until a part has started. Then adds the state of the part to resets and snapshots. `close` of the
 * instance also closes the part.
 */
export type Begin = <Part extends { state: StatefulPart; close(): Promise<void> }>(
  starting: Promise<Part>,
) => Promise<Part>

/**
 * Starts an instance: the servers, with `start`, then the gateways and the control plane.
 *
 * @throws Refusal for options that cannot be used. Before it rejects, `withHandles` closes all parts that
 *   were started.
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
    // `InstanceState` is closed before the servers, so that a reset under way ends first.
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
    // The control plane is the first part in the list, so it is closed last. Stopping the journal and the
    // gateways ends requests that still wait for entries.
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

/**
 * Returns the world that a client of the control plane names or sends. The name must not be a path, because
 * such a client must not read files.
 */
async function sent(world: string | Record<string, unknown>): Promise<World> {
  if (typeof world !== 'string') return checkWorld(world, 'world')
  const { readNamedWorld } = await import('./world-file.js')
  return readNamedWorld(world, 'or send the world itself, as an object')
}

async function closeAll(instance: Instance, started: readonly { close(): Promise<void> }[]): Promise<void> {
  for (const part of started.toReversed()) await part.close()
  await instance.close()
}
