import { createInstance, type Instance, type InstanceOptions } from '../shared/instance.js'
import type { Journal } from '../shared/journal/journal.js'
import type { ListenOptions } from '../shared/mcp/http/serve.js'
import type { RunningAttack } from './attack/carry-out.js'
import type { HostileOptions } from './attack/hostile-options.js'
import { Instanode, type InstanodeOptions } from './instanode/index.js'
import { Safebot, type SafebotOptions } from './safebot/index.js'
import type { StatefulPart } from './state/part.js'
import type { Snapshot } from './state/snapshot.js'
import { State } from './state/state.js'
import { readWorld } from './world/read-world.js'
import type { World } from './world/world.js'

export interface UnderstudyOptions
  extends InstanceOptions,
    Pick<SafebotOptions, 'contract'>,
    Pick<InstanodeOptions, 'databases' | 'dataDirectory'> {
  /** Address of every listener. Default `127.0.0.1`. */
  host?: string
  /** Default 0: a free port. */
  instanodePort?: number
  /** Default 0: a free port. */
  safebotPort?: number
  /** What it begins with: a name of fixtures/worlds, a JSON or YAML file, or the world itself. Default `default`. */
  world?: string | World
  /** Host names to accept beside the loopback ones and `host`. */
  allowedHosts?: readonly string[]
  /** Names of fixtures/attacks: what is to turn hostile. Default: nothing does. */
  attack?: string | readonly string[]
}

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

export interface RunningSafebot {
  readonly mcpUrl: string
  readonly apiUrl: string
  /** An SDK client in this process, initialized. */
  connect: Safebot['connect']
  /** The URL, key included, of a room of the world. */
  roomUrl: Safebot['roomUrl']
}

/** A running instance: servers that listen, the clock they live by, the record of what reached them. */
export interface Understudy {
  readonly instance: Instance
  readonly clock: Instance['clock']
  readonly journal: Journal
  /** Trouble on demand: what goes wrong, on which calls. */
  readonly faults: Instance['faults']
  /** What the lists of tools show instead of the genuine ones. */
  readonly catalogue: Instance['catalogue']
  readonly instanode: RunningInstanode
  readonly safebot: RunningSafebot
  /** The attacks that were asked for, with what they have planted. */
  readonly attacks: readonly RunningAttack[]
  /** Back to where a world begins; default: the one this was started with. See {@link State.reset}. */
  reset(to?: { world?: string | World }): Promise<void>
  /** All there is now, to come back to. See {@link State.snapshot}. */
  snapshot(): Promise<Snapshot>
  /** Back to what there was, the journal excepted. See {@link State.restore}. */
  restore(snapshot: Snapshot): Promise<void>
  /** Lets go of what a snapshot takes on disk, or on a server of databases: it cannot be gone back to any more. */
  discard(snapshot: Snapshot): Promise<void>
  /** Answers what is parked, ends every conversation, and leaves nothing running. */
  close(): Promise<void>
}

/** A part that has been started. */
interface Started<Running> {
  running: Running
  state: StatefulPart
  close(): Promise<void>
}

/**
 * Starts the stand-ins; resolves when they listen.
 *
 * @throws Refusal for options that cannot be met: a busy port, a clock that is none, a world that cannot be, an attack that is not
 *   known, a journal that cannot be written
 */
export async function createUnderstudy(options: UnderstudyOptions = {}): Promise<Understudy> {
  const names = typeof options.attack === 'string' ? [options.attack] : (options.attack ?? [])
  if (names.length === 0) return start(options, NO_HOSTILITY, async () => [])
  const { attack } = await import('./attack/index.js')
  return attack(names, (hostile, carryOut) => start(options, hostile, carryOut), options.log)
}

const NO_HOSTILITY: HostileOptions = { hostility: {}, safebot: {} }

/** An instance without its attacks, which are carried out once its servers listen. */
export type Stage = Omit<Understudy, 'attacks' | 'close'>

async function start(
  options: UnderstudyOptions,
  hostile: HostileOptions,
  carryOut: (stage: Stage) => Promise<RunningAttack[]>,
): Promise<Understudy> {
  const world = await readWorld(options.world ?? 'default')
  const instance = await createInstance(options)
  const started: Started<unknown>[] = []
  let state: State | undefined
  const close = async () => {
    await state?.close()
    for (const part of started.toReversed()) await part.close()
    await instance.close()
  }
  try {
    const instanode = await startInstanode(instance, options, world, hostile)
    started.push(instanode)
    const safebot = await startSafebot(instance, options, world, hostile)
    started.push(safebot)
    const whole = new State(instance, [instanode.state, safebot.state], world)
    state = whole
    const stage = {
      instance,
      clock: instance.clock,
      journal: instance.journal,
      faults: instance.faults,
      catalogue: instance.catalogue,
      instanode: instanode.running,
      safebot: safebot.running,
      reset: (to?: { world?: string | World }) => whole.reset(to),
      snapshot: () => whole.snapshot(),
      restore: (snapshot: Snapshot) => whole.restore(snapshot),
      discard: (snapshot: Snapshot) => whole.discard(snapshot),
    }
    return { ...stage, attacks: await carryOut(stage), close }
  } catch (error) {
    await close()
    throw error
  }
}

async function startInstanode(
  instance: Instance,
  options: UnderstudyOptions,
  world: World,
  { hostility }: HostileOptions,
): Promise<Started<RunningInstanode>> {
  const { contract, databases, dataDirectory, instanodePort } = options
  const { instanode, url } = await Instanode.listen(instance, listenOptions(options, instanodePort), {
    world,
    ...(contract !== undefined && { contract }),
    ...(databases !== undefined && { databases }),
    ...(dataDirectory !== undefined && { dataDirectory }),
    hostility,
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
    state: instanode.state,
    close: () => instanode.close(),
  }
}

async function startSafebot(
  instance: Instance,
  options: UnderstudyOptions,
  world: World,
  { safebot: hostile }: HostileOptions,
): Promise<Started<RunningSafebot>> {
  const { contract, safebotPort } = options
  const listen = listenOptions(options, safebotPort)
  const { safebot, url } = await Safebot.listen(instance, listen, {
    ...hostile,
    world,
    ...(contract !== undefined && { contract }),
  })
  return {
    running: {
      mcpUrl: `${url}/mcp`,
      apiUrl: url,
      connect: identity => safebot.connect(identity),
      roomUrl: id => safebot.roomUrl(id),
    },
    state: safebot.state,
    close: () => safebot.close(),
  }
}

function listenOptions({ host, allowedHosts }: UnderstudyOptions, port: number | undefined): ListenOptions {
  return {
    ...(host !== undefined && { host }),
    ...(port !== undefined && { port }),
    ...(allowedHosts !== undefined && { allowedHosts }),
  }
}
