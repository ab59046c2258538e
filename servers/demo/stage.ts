import { ControlClient } from '../../shared/control/client/index.js'
import { createGateway, createUnderstudy, type Gateway, type Understudy } from '../index.js'
import type { ServerName } from '../server-name.js'
import { Agent } from './cast/agent.js'
import type { Reach } from './cast/connect.js'
import { Worker } from './cast/worker.js'
import { approvalPolicy, publishedPolicies } from './policies.js'

/** What each grant of the gateway with the account is known by. */
const BEN = 'demo-bearer-of-ben'
const BEN_CAREFUL = 'demo-bearer-of-ben-with-approval'

export interface StageOptions {
  /** Policies to put in the place of the published ones. */
  policies?: Partial<Record<ServerName, string>>
  /** Default: a free port. */
  controlPort?: number
}

/** The agents, each at the gateways that it calls through. */
export interface Agents {
  /** Has no account. */
  ana: { instanode: Agent; safebot: Agent }
  /** Works for an account, whose credential his gateway has and he has not. `careful`: under the demo's own policy. */
  ben: { instanode: Agent; careful: Agent; safebot: Agent }
}

interface Closable {
  close(): Promise<unknown>
}

/** Both servers, a gateway in front of each, and who calls through them. */
export class Stage {
  readonly #opened: Closable[]

  private constructor(
    readonly understudy: Understudy,
    /** The gateway in front of Instanode that brings no account. */
    readonly nobodys: Gateway,
    /** The same instance, over HTTP. */
    readonly control: ControlClient,
    readonly policies: Readonly<Record<ServerName | 'approval', string>>,
    readonly agents: Agents,
    opened: Closable[],
  ) {
    this.#opened = opened
  }

  /** @throws Refusal for a policy that cannot be read, or a port that is taken; nothing is left running then */
  static async open({ policies: other, controlPort = 0 }: StageOptions = {}): Promise<Stage> {
    const policies = { ...publishedPolicies(), ...other, approval: approvalPolicy() }
    const understudy = await createUnderstudy({
      // It stands still while somebody reads: no window turns and no lease runs out but where the story says so.
      clock: 'manual',
      seed: 'demo',
      controlPort,
      gateways: {
        instanode: {
          grants: [
            { label: 'ben', token: BEN, policy: policies.instanode },
            { label: 'ben, with approval', token: BEN_CAREFUL, policy: policies.approval },
          ],
          upstreamHeaders: ['Authorization: Bearer understudy-paid-token'],
          approvalHoldMs: 60_000,
        },
        safebot: policies.safebot,
      },
    })
    const opened: Closable[] = [understudy]
    try {
      const { instanode, clock } = understudy
      const nobodys = await createGateway({ policy: policies.instanode, upstream: instanode.mcpUrl, clock })
      opened.push(nobodys)
      const agents = await assemble(understudy, nobodys, opened)
      return new Stage(
        understudy,
        nobodys,
        new ControlClient(understudy.control.url),
        policies,
        agents,
        opened,
      )
    } catch (error) {
      await closeAll(opened)
      throw error
    }
  }

  /** How ben's workers reach the rooms. */
  get benInRooms(): Reach {
    return inRooms(this.understudy, 'ben')
  }

  /** Starts a worker, which ends with the stage if not before. */
  worker(): Worker {
    const worker = new Worker()
    this.#opened.push({ close: () => worker.crash() })
    return worker
  }

  /** Leaves nothing running. */
  close(): Promise<void> {
    return closeAll(this.#opened)
  }
}

async function assemble(understudy: Understudy, nobodys: Gateway, opened: Closable[]): Promise<Agents> {
  const { journal, gateways } = understudy
  const agent = async (reach: Reach) => {
    const connected = await Agent.at(reach, journal)
    opened.push(connected)
    return connected
  }
  const withAccount = (token: string) =>
    agent({ url: gateways.instanode.url, headers: { Authorization: `Bearer ${token}` } })
  return {
    ana: {
      instanode: await agent({ url: nobodys.url, headers: {} }),
      safebot: await agent(inRooms(understudy, 'ana')),
    },
    ben: {
      instanode: await withAccount(BEN),
      careful: await withAccount(BEN_CAREFUL),
      safebot: await agent(inRooms(understudy, 'ben')),
    },
  }
}

/** The last opened first. */
async function closeAll(opened: readonly Closable[]): Promise<void> {
  for (const one of opened.toReversed()) await one.close()
}

function inRooms({ gateways }: Understudy, handle: string): Reach {
  return { url: gateways.safebot.url, headers: { 'X-Safebot-Handle': handle } }
}
