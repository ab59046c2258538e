import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ControlClient } from '../../shared/control/client/index.js'
import { createGateway, createUnderstudy, type Gateway, type Understudy } from '../index.js'
import type { ServerName } from '../server-name.js'
import { Agent, type Endpoint } from './agents.js'
import { Worker } from './worker.js'

/** Bearer tokens of Ben's two grants at the gateway with the account. */
const BEN = 'demo-bearer-of-ben'
const BEN_WITH_APPROVAL = 'demo-bearer-of-ben-with-approval'

export interface StageOptions {
  /** Policy files that replace the published ones. */
  policies?: Partial<Record<ServerName, string>>
  /** Default: a free port. */
  controlPort?: number
}

/** The agents. Each calls through the gateways of the two servers. */
export interface Agents {
  /** Has no account. */
  ana: { instanode: Agent; safebot: Agent }
  /** Works for a paid account. The gateway adds its credential. `withApproval` calls under the demo's own policy. */
  ben: { instanode: Agent; withApproval: Agent; safebot: Agent }
}

/** Everything that runs in a demo: both servers, a gateway in front of each, and the agents. */
export class Stage {
  private constructor(
    readonly understudy: Understudy,
    /** The gateway in front of Instanode that adds no credential. */
    readonly anonymousGateway: Gateway,
    readonly control: ControlClient,
    readonly policies: Readonly<Record<ServerName | 'approval', string>>,
    readonly agents: Agents,
    private readonly opened: AsyncCloseable[],
  ) {}

  /** @throws Refusal for a policy that cannot be read, or a port that is taken; nothing is left running then */
  static async open({ policies: replaced, controlPort = 0 }: StageOptions = {}): Promise<Stage> {
    const policies = {
      instanode: fixture('policies/policylayer/instanode.json'),
      safebot: fixture('policies/intercept/safebot.yaml'),
      ...replaced,
      // The published policies ask for no approval.
      approval: fixture('demo/delete-with-approval.yaml'),
    }
    const understudy = await createUnderstudy({
      // A reader takes time. No rate window and no lease may end in it.
      clock: 'manual',
      seed: 'demo',
      controlPort,
      gateways: {
        instanode: {
          grants: [
            { label: 'ben', token: BEN, policy: policies.instanode },
            { label: 'ben, with approval', token: BEN_WITH_APPROVAL, policy: policies.approval },
          ],
          upstreamHeaders: ['Authorization: Bearer understudy-paid-token'],
          approvalHoldMs: 60_000,
        },
        safebot: policies.safebot,
      },
    })
    const opened: AsyncCloseable[] = [understudy]
    try {
      const { instanode, clock, gateways, journal, control } = understudy
      const anonymous = await createGateway({ policy: policies.instanode, upstream: instanode.mcpUrl, clock })
      opened.push(anonymous)
      const connect = async (url: string, headers: Record<string, string> = {}) => {
        const agent = await Agent.connect({ url, headers }, journal)
        opened.push(agent)
        return agent
      }
      const bearer = (token: string) => ({ Authorization: `Bearer ${token}` })
      const ana = {
        instanode: await connect(anonymous.url),
        safebot: await connect(gateways.safebot.url, handle('ana')),
      }
      const ben = {
        instanode: await connect(gateways.instanode.url, bearer(BEN)),
        withApproval: await connect(gateways.instanode.url, bearer(BEN_WITH_APPROVAL)),
        safebot: await connect(gateways.safebot.url, handle('ben')),
      }
      return new Stage(understudy, anonymous, new ControlClient(control.url), policies, { ana, ben }, opened)
    } catch (error) {
      await closeAll(opened)
      throw error
    }
  }

  /** The gateway of Safebot, for Ben's workers. */
  get workerEndpoint(): Endpoint {
    return { url: this.understudy.gateways.safebot.url, headers: handle('ben') }
  }

  /** Starts a worker. It is killed with the stage if it still runs. */
  startWorker(): Worker {
    const worker = new Worker()
    this.opened.push({ close: () => worker.crash() })
    return worker
  }

  /** Closes everything. */
  close(): Promise<void> {
    return closeAll(this.opened)
  }
}

interface AsyncCloseable {
  close(): Promise<unknown>
}

/** Closes the last opened first. */
async function closeAll(opened: readonly AsyncCloseable[]): Promise<void> {
  for (const one of opened.toReversed()) await one.close()
}

function handle(name: string): Record<string, string> {
  return { 'X-Safebot-Handle': name }
}

/** Returns the path of a fixture: relative if it is below the current folder, because the demo prints it. */
function fixture(name: string): string {
  const folder = import.meta.url.endsWith('.ts') ? '../../fixtures' : '../../../fixtures'
  const path = join(fileURLToPath(new URL(folder, import.meta.url)), name)
  const short = relative(process.cwd(), path)
  return short.startsWith('..') ? path : short
}
