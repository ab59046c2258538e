import type { Tool } from '../../../shared/mcp/define-tool.js'
import type { Caller } from '../service.js'
import { claimToken } from './account.js'
import type { ToolKit } from './context.js'
import { createPostgres } from './create.js'
import { createWebhook } from './create-webhook.js'
import { deleteResource } from './delete-resource.js'
import { getApiToken } from './get-api-token.js'
import { listResources } from './resources.js'
import { unmarked } from './unmarked.js'

/** The six tools, in the order the service lists them. */
export function createTools(kit: ToolKit): readonly Tool<Caller>[] {
  const tools = [
    createPostgres(kit),
    createWebhook(kit),
    listResources(kit),
    claimToken(kit),
    deleteResource(kit),
    getApiToken(kit),
  ]
  return kit.contract.marksFailedCalls ? tools : tools.map(unmarked)
}
