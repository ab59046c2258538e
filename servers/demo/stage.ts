import { relative } from 'node:path'
import { fixture } from '../../shared/util/compiled.js'
import type { ServerName } from '../../shared/util/known-tools.js'
import { ControlClient } from '../understudy/control-client.js'
import { createGateway, createUnderstudy } from '../understudy/index.js'
import { connectClient, DemoAgent, startWorker } from './agents.js'

/** The bearer tokens of Ben's two grants at the gateway in front of Instanode. */
const BEN = 'demo-bearer-of-ben'
const BEN_WITH_APPROVAL = 'demo-bearer-of-ben-with-approval'

export interface DemoStageOptions {
  /** Policy files to use in place of the published policies. */
  policies?: Partial<Record<ServerName, string>>
  /** Port of the control plane. Default: a free port. */
  controlPort?: number
}

/** A part of the demo that has to be closed. */
export type Closable = { close(): Promise<void> }

/** The parts of a running demo: both servers, the gateways in front of them, and the agents. */
export type DemoStage = Awaited<ReturnType<typeof openDemoStage>>

/**
 * Starts the servers and gateways, and connects the agents.
 *
 * @param opened gets each part as soon as the part has started. The caller has to close these parts, also
 *   after an error
 * @throws Refusal for a policy that cannot be read, or a port that is in use
 */
export async function openDemoStage(opened: Closable[], options: DemoStageOptions) {
  // The paths are relative, because the demo prints them.
  const published = (name: string) => relative(process.cwd(), fixture(`policies/${name}`))
  const policies = {
    instanode: published('policylayer/instanode.json'),
    safebot: published('intercept/safebot.yaml'),
    ...options.policies,
  }
  const understudy = await createUnderstudy({
    // With a manual clock, no window or lease ends while a person reads the output.
    clock: 'manual',
    seed: 'demo',
    controlPort: options.controlPort ?? 0,
    gateways: {
      instanode: {
        grants: [
          { label: 'ben', token: BEN, policy: policies.instanode },
          // No published policy asks for an approval.
          { label: 'approval', token: BEN_WITH_APPROVAL, policy: fixture('demo/delete-with-approval.yaml') },
        ],
        upstreamHeaders: ['Authorization: Bearer understudy-paid-token'],
        approvalHoldMs: 60_000,
      },
      safebot: policies.safebot,
    },
  })
  opened.push(understudy)
  const { instanode, gateways, clock, journal } = understudy
  const anonymous = await createGateway({ policy: policies.instanode, upstream: instanode.mcpUrl, clock })
  opened.push(anonymous)

  const upstream: string[] = []
  const connect = async (url: string, headers: Record<string, string>) => {
    const client = await connectClient(url, headers)
    opened.push(client)
    return new DemoAgent(client, journal, upstream)
  }
  const [paid, safebot] = [gateways.instanode.url, gateways.safebot.url]
  return {
    understudy,
    control: new ControlClient(understudy.control.url),
    policies,
    gateways: [anonymous, gateways.instanode, gateways.safebot],
    upstream,
    /** Ana has no account, and her gateway adds no credential to her calls. */
    ana: {
      instanode: await connect(anonymous.url, {}),
      safebot: await connect(safebot, { 'X-Safebot-Handle': 'ana' }),
    },
    /** Ben works for a paid account, and the gateway adds the credential of this account to his calls. */
    ben: {
      instanode: await connect(paid, { Authorization: `Bearer ${BEN}` }),
      withApproval: await connect(paid, { Authorization: `Bearer ${BEN_WITH_APPROVAL}` }),
      safebot: await connect(safebot, { 'X-Safebot-Handle': 'ben' }),
      startWorker: (room: string) => new DemoAgent(startWorker(safebot, 'ben', room), journal, upstream),
    },
  }
}
