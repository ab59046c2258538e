import { z } from 'zod'
import { defineTool, type ToolContext } from '../../../shared/mcp/define-tool.js'
import { describeOwned, ownedResource } from '../owned.js'
import type { Caller } from '../service.js'
import { requireToken, resourceToken, type ToolDeps } from './context.js'

export const claimToken = (deps: ToolDeps) =>
  defineTool({
    name: 'claim_token',
    title: 'Claim a resource for the account',
    description:
      'Makes the account the owner of a resource that was created without one, by its token. For a paid account it ' +
      'becomes permanent, with the paid limits at once; for a free one it still expires. Safe to repeat.',
    input: z.strictObject({ token: resourceToken }),
    output: z.strictObject({
      id: z.string(),
      token: z.string(),
      resource_type: z.enum(['postgres', 'webhook']),
      name: z.string(),
      tier: z.enum(['anonymous', 'paid']),
      status: z.string(),
    }),
    hints: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: true },
    async run(args, call: ToolContext<Caller>) {
      requireToken(call.caller)
      const { id, token, type, name, tier, status } = await deps.service.claim(call.caller, args.token, call)
      return { id, token, resource_type: type, name, tier, status }
    },
    render: result =>
      [
        'Claimed for this account.',
        '',
        `Resource type: ${result.resource_type}`,
        `Token: ${result.token}`,
        `Tier: ${result.tier}`,
        `Status: ${result.status}`,
        `Name: ${result.name}`,
      ].join('\n'),
  })

export const getApiToken = (deps: ToolDeps) =>
  defineTool({
    name: 'get_api_token',
    title: 'Mint an account token',
    description:
      'Makes a new bearer token with all the rights of the account, good for 30 days. It cannot be revoked, and earlier ' +
      'ones stay valid: treat the result as a password.',
    input: z.strictObject({}),
    output: z.strictObject({
      token: z.string().describe('JWT: keep it secret'),
      expires_in: z.int().describe('Seconds'),
    }),
    // The service answers a GET here. Each call creates one more credential, so it is not read-only.
    hints: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
    async run(_args, call: ToolContext<Caller>) {
      requireToken(call.caller)
      const { token, expiresInSeconds } = await deps.service.mintToken(call.caller, call)
      return { token, expires_in: expiresInSeconds }
    },
    render: ({ token, expires_in }) =>
      [
        'A new account token.',
        '',
        `Expires in: ${expires_in} seconds (~${Math.round(expires_in / 86_400)} days)`,
        'Token:',
        token,
        '',
        'To use it, set it in the environment of the MCP server and restart that:',
        `INSTANODE_TOKEN=${token}`,
      ].join('\n'),
  })

export const listResources = (deps: ToolDeps) =>
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
      const owned = await deps.service.list(call.caller, call)
      return { resources: owned.map(resource => describeOwned(resource, deps.contract)) }
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

export const deleteResource = (deps: ToolDeps) =>
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
      const { id, token, message } = await deps.service.remove(call.caller, args.token, call)
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
