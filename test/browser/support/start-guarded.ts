import { join } from 'node:path'
import type { Understudy, UnderstudyOptions } from '../../../servers/understudy/index.js'
import { RecordingDatabases } from '../../support/databases/recording-databases.js'
import { PAID } from '../../support/servers/instanode.js'
import { startUnderstudy } from '../../support/servers/understudy.js'

/** The policy that the agents must follow. */
const POLICY = join(import.meta.dirname, 'agent-policy.yaml')

/** An instance on a manual clock, its databases recorded only, with a gateway in front of Instanode. */
export async function startGuarded(
  options: UnderstudyOptions = {},
): Promise<{ u: Understudy; databases: RecordingDatabases }> {
  const databases = new RecordingDatabases()
  const u = await startUnderstudy({
    databases,
    gateways: {
      instanode: {
        policy: POLICY,
        upstreamHeaders: [`Authorization: Bearer ${PAID}`],
        approvalHoldMs: 600_000,
      },
    },
    ...options,
  })
  return { u, databases }
}
