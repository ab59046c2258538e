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
  /**
   * The world at the start: a name in fixtures/worlds, a JSON or YAML file, or the world itself. Default
   * `default`.
   */
  world?: string | World
  /** The gateways to start, by the server that each one protects. Default: no gateways. */
  gateways?: GatewaysOptions
  /** Additional values to accept in the Host header. Loopback names and `host` are always accepted. */
  allowedHosts?: readonly string[]
  /**
   * Called for `POST /rehearsal/start`. Returns whether a rehearsal was waiting. Default: no rehearsal waits.
   */
  onRehearsalStart?: () => boolean
}

/** The parts of a running instance that a test uses, apart from the servers. */
export interface Handles {
  readonly instance: Instance
  readonly clock: Instance['clock']
  readonly journal: Instance['journal']
  /** The faults: failures on purpose, and the calls that they apply to. */
  readonly faults: Instance['faults']
  /** The overlays of the tool lists. */
  readonly catalogue: Instance['catalogue']
  /** The requested gateways: their URLs, decisions and pending approvals. */
  readonly gateways: Gateways
  /** The control plane, which offers these handles over HTTP. */
  readonly control: { readonly url: string }
  /** Resets the instance to a world. Default: the world of the start. See {@link InstanceState.reset}. */
  reset(to?: { world?: string | World }): Promise<void>
  /** Copies the whole state, so that it can be restored. See {@link InstanceState.snapshot}. */
  snapshot(): Promise<Snapshot>
  /** Restores the state of a snapshot. The journal is not changed. See {@link InstanceState.restore}. */
  restore(snapshot: Snapshot): Promise<void>
  /** Deletes a snapshot, with the copies of databases that belong to it. It can no longer be restored. */
  discard(snapshot: Snapshot): Promise<void>
  /** Answers waiting requests, ends all connections, and stops all parts of the instance. */
  close(): Promise<void>
}

/**
 * The tools of both servers. The journal of an instance with one server knows both, because a shared store
 * has both.
 */
const ALL_TOOLS = new Map(
  SERVER_NAMES.map(name => [name, Object.keys(KNOWN_TOOLS).filter(tool => knownTool(tool)?.server === name)]),
)

/** A server that has been started. */
export interface Started<Running, Control> {
  running: Running
  controlled: Control
  state: StatefulPart
  close(): Promise<void>
}

/**
 * Waits until a part has started. Its state becomes part of snapshots, and it is closed with the instance.
 */
export type Begin = <Part extends { state: StatefulPart; close(): Promise<void> }>(
  starting: Promise<Part>,
) => Promise<Part>

/**
 * Starts an instance with the servers that `start` starts, and its control plane.
 *
 * @throws Refusal for options that cannot be used. Everything that was started is closed first.
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
    // The state is closed first, so that a running reset ends before the servers are closed.
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
    // The first part in the list is closed last. Closing it rejects requests that still wait for journal
    // entries.
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

/** Reads a world that a client of the control plane names or sends. Such a client must not read files. */
async function sent(world: string | Record<string, unknown>): Promise<World> {
  if (typeof world !== 'string') return checkWorld(world, 'world')
  const { readNamedWorld } = await import('./world-file.js')
  return readNamedWorld(world, 'or send the world itself, as an object')
}

async function closeAll(instance: Instance, started: readonly { close(): Promise<void> }[]): Promise<void> {
  for (const part of started.toReversed()) await part.close()
  await instance.close()
}
