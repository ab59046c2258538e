import { relative } from 'node:path'
import { fixture } from '../../shared/util/compiled.js'
import type { ServerName } from '../../shared/util/known-tools.js'
import { ControlClient } from '../understudy/control-client.js'
import { createGateway, createUnderstudy } from '../understudy/index.js'
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

/** Everything that runs in a demo: both servers, a gateway in front of each, and the agents. */
export type Stage = Awaited<ReturnType<typeof openStage>>

/**
 * Starts the servers and gateways, and connects the agents.
 *
 * @throws Refusal for a policy that cannot be read, or a port that is taken; nothing is left running then
 */
export async function openStage({ policies: replaced, controlPort = 0 }: StageOptions = {}) {
  const policies = {
    instanode: shortFixture('policies/policylayer/instanode.json'),
    safebot: shortFixture('policies/intercept/safebot.yaml'),
    ...replaced,
    // The published policies ask for no approval.
    approval: shortFixture('demo/delete-with-approval.yaml'),
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
  const { instanode, clock, gateways, journal } = understudy
  const opened: { close(): Promise<unknown> }[] = [understudy]
  try {
    const anonymous = opening(
      await createGateway({ policy: policies.instanode, upstream: instanode.mcpUrl, clock }),
    )
    const bearer = (token: string) => ({
      url: gateways.instanode.url,
      headers: { Authorization: `Bearer ${token}` },
    })
    const handle = (name: string) => ({ url: gateways.safebot.url, headers: { 'X-Safebot-Handle': name } })
    const connect = async (endpoint: Endpoint) => opening(await Agent.connect(endpoint, journal))
    return {
      understudy,
      control: new ControlClient(understudy.control.url),
      policies,
      /** The gateway in front of Instanode that adds no credential. */
      anonymousGateway: anonymous,
      /** Has no account. */
      ana: {
        instanode: await connect({ url: anonymous.url, headers: {} }),
        safebot: await connect(handle('ana')),
      },
      /** Works for a paid account, whose credential the gateway adds. `withApproval` is under the demo's own policy. */
      ben: {
        instanode: await connect(bearer(BEN)),
        withApproval: await connect(bearer(BEN_WITH_APPROVAL)),
        safebot: await connect(handle('ben')),
      },
      /** The gateway of Safebot, for Ben's workers. */
      workerEndpoint: handle('ben'),
      /** Starts a worker. It is killed with the stage if it still runs. */
      startWorker(): Worker {
        const worker = new Worker()
        opened.push({ close: () => worker.crash() })
        return worker
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }

  function opening<T extends { close(): Promise<unknown> }>(part: T): T {
    opened.push(part)
    return part
  }

  /** Closes everything, the last opened first. */
  async function close(): Promise<void> {
    for (const part of opened.toReversed()) await part.close()
  }
}

/** Returns the path of a fixture: relative if it is below the current folder, because the demo prints it. */
function shortFixture(name: string): string {
  const path = fixture(name)
  const short = relative(process.cwd(), path)
  return short.startsWith('..') ? path : short
}
