import { z } from 'zod'
import { defineTool, type ToolContext } from '../../../shared/mcp/define-tool.js'
import { describeOwned, ownedResource } from '../owned.js'
import type { Caller } from '../service.js'
import { requireToken, resourceToken, type ToolKit } from './context.js'

export const listResources = (kit: ToolKit) =>
  defineTool({
    name: 'list_resources',
    title: 'List the resources of the account',
    description:
      'Lists the databases and receivers of the account that have not ended, the last created first. The result ' +
      'carries their tokens, but no connection URLs: those are shown once, at creation.',
    input: z.strictObject({}),
    output: z.strictObject({ resources: z.array(ownedResource) }),
    hints: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: true },
    async run(_args, call: ToolContext<Caller>) {
      requireToken(call.caller)
      const owned = await kit.service.list(call.caller, call)
      return { resources: owned.map(resource => describeOwned(resource, kit.contract)) }
    },
    render({ resources }) {
      if (resources.length === 0)
        return 'This account owns nothing yet: claim_token adds what was created without it.'
      return [`${resources.length} resource(s) on this account:`, ...resources.map(describe)].join('\n\n')
    },
  })

function describe(resource: z.infer<typeof ownedResource>): string {
  return [
    `[${resource.type}] ${resource.token}`,
    `  tier: ${resource.tier}`,
    `  status: ${resource.status}`,
    `  name: ${resource.name}`,
    `  expires: ${resource.expires_at ?? 'never'}`,
    `  created: ${resource.created_at}`,
  ].join('\n')
}

export const deleteResource = (kit: ToolKit) =>
  defineTool({
    name: 'delete_resource',
    title: 'Delete a resource',
    description:
      'Deletes a database or receiver that the account owns, with all that is in it. Cannot be undone. Paid accounts only.',
    input: z.strictObject({ token: resourceToken }),
    output: z.strictObject({
      id: z.string(),
      token: z.string(),
      status: z.literal('deleted'),
      message: z.string(),
    }),
    hints: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: true },
    async run(args, call: ToolContext<Caller>) {
      requireToken(call.caller)
      const { id, token, message } = await kit.service.remove(call.caller, args.token, call)
      return { id, token, status: 'deleted' as const, message }
    },
    render: result =>
      [
        'Deleted.',
        '',
        `Token: ${result.token}`,
        `Status: ${result.status}`,
        `Message: ${result.message}`,
      ].join('\n'),
  })
