import { type OptionNames, refuseUnknownOptions } from '../../shared/util/known-options.js'
import { checkBesideStore } from '../instanode/databases/open-databases.js'
import type { HostileOptions, RunningAttack } from './attacks.js'
import { type CommonOptions, type Handles, withHandles } from './handles.js'
import {
  type InstanodeStartOptions,
  type RunningInstanode,
  type RunningSafebot,
  type SafebotStartOptions,
  startInstanode,
  startSafebot,
} from './start-servers.js'

export interface UnderstudyOptions extends CommonOptions, SafebotStartOptions, InstanodeStartOptions {
  /** HTTP port of Instanode. Default 0: a free port. */
  instanodePort?: number
  /** HTTP port of Safebot. Default 0: a free port. */
  safebotPort?: number
  /** Names of attack profiles in fixtures/attacks. Default: no attack. */
  attack?: string | readonly string[]
}

/** A running instance with both servers, its clock and its journal. */
export interface Understudy extends Handles {
  readonly instanode: RunningInstanode
  readonly safebot: RunningSafebot
  /** The attacks that the options name, with the rooms and receivers that the attacks have created. */
  readonly attacks: readonly RunningAttack[]
}

/** The options of an instance with Instanode alone. */
export interface InstanodeAloneOptions extends CommonOptions, InstanodeStartOptions {
  /** HTTP port of Instanode. Default 0: a free port. */
  port?: number
}

export interface InstanodeAlone extends Handles, RunningInstanode {}

/** The options of an instance with Safebot alone. */
export interface SafebotAloneOptions extends CommonOptions, SafebotStartOptions {
  /** HTTP port of Safebot. Default 0: a free port. */
  port?: number
}

export interface SafebotAlone extends Handles, RunningSafebot {}

const COMMON: OptionNames<CommonOptions & SafebotStartOptions> = {
  host: true,
  allowedHosts: true,
  controlPort: true,
  world: true,
  gateways: true,
  contract: true,
  protocol: true,
  clock: true,
  seed: true,
  store: true,
  journal: true,
  journalFile: true,
  journalSync: true,
  stamp: true,
  onCrash: true,
  onRehearsalStart: true,
  log: true,
}
const SAFEBOT: OptionNames<SafebotAloneOptions> = { ...COMMON, port: true }
const INSTANODE: OptionNames<InstanodeAloneOptions> = { ...SAFEBOT, databases: true, dataDirectory: true }
const BOTH: OptionNames<UnderstudyOptions> = {
  ...COMMON,
  databases: true,
  dataDirectory: true,
  instanodePort: true,
  safebotPort: true,
  attack: true,
}

/**
 * Starts both stand-ins. Resolves when the stand-ins listen.
 *
 * @throws Refusal for invalid options: a busy port, a bad clock, a bad world, an unknown attack, a journal
 *   that cannot be written, an unknown option
 */
export async function createUnderstudy(options: UnderstudyOptions = {}): Promise<Understudy> {
  refuseUnknownOptions(options, BOTH, 'createUnderstudy')
  const { attack = [], instanodePort, safebotPort } = options
  await checkBesideStore(options)
  const names = typeof attack === 'string' ? [attack] : attack
  const hostile = names.length === 0 ? undefined : await prepareAttacks(names, options)
  return withHandles(options, async (instance, world, begin) => {
    const shared = { instance, world, options }
    const instanode = await begin(
      startInstanode({ ...shared, port: instanodePort, hostility: hostile?.instanode }),
    )
    const safebot = await begin(startSafebot({ ...shared, port: safebotPort, hostility: hostile?.safebot }))
    const running = { instanode: instanode.running, safebot: safebot.running }
    const attacks = (await hostile?.carryOut({ ...instance, ...running })) ?? []
    return {
      running: { ...running, attacks },
      controlled: { instanode: instanode.controlled, safebot: safebot.controlled },
      upstreams: {
        instanode: { url: instanode.running.mcpUrl, accounts: instanode.accounts },
        safebot: { url: safebot.running.mcpUrl },
      },
    }
  })
}

/**
 * Starts an instance that has only Instanode, with its clock, journal and control plane. See
 * {@link createUnderstudy}.
 */
export async function createInstanode(options: InstanodeAloneOptions = {}): Promise<InstanodeAlone> {
  refuseUnknownOptions(options, INSTANODE, 'createInstanode')
  await checkBesideStore(options)
  return withHandles(options, async (instance, world, begin) => {
    const { running, controlled, accounts } = await begin(
      startInstanode({ instance, world, options, port: options.port }),
    )
    const upstreams = { instanode: { url: running.mcpUrl, accounts } }
    return { running, controlled: { instanode: controlled }, upstreams }
  })
}

/**
 * Starts an instance that has only Safebot, with its clock, journal and control plane. See
 * {@link createUnderstudy}.
 */
export async function createSafebot(options: SafebotAloneOptions = {}): Promise<SafebotAlone> {
  refuseUnknownOptions(options, SAFEBOT, 'createSafebot')
  return withHandles(options, async (instance, world, begin) => {
    const { running, controlled } = await begin(
      startSafebot({ instance, world, options, port: options.port }),
    )
    return { running, controlled: { safebot: controlled }, upstreams: { safebot: { url: running.mcpUrl } } }
  })
}

/** Prepares attacks. Loads the code of attacks only when an attack is requested. */
async function prepareAttacks(names: readonly string[], { log }: UnderstudyOptions): Promise<HostileOptions> {
  const { prepare } = await import('./attacks.js')
  return prepare(names, log)
}
