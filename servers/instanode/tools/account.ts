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
      'Makes the account the owner of a resource without an owner, by the token of the resource. ' +
      'With a paid account, the resource becomes permanent and gets the paid limits at once. ' +
      'With a free account, the resource still expires. Safe to repeat.',
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
      'Mints a new bearer token with all rights of the account, valid for 30 days. ' +
      'The token cannot be revoked, and earlier tokens stay valid. Treat the result as a password.',
    input: z.strictObject({}),
    output: z.strictObject({
      token: z.string().describe('JWT: keep it secret'),
      expires_in: z.int().describe('Seconds'),
    }),
    // The service has a GET route for this tool, but each call
    // creates a credential. So the tool is not read-only.
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
        'To use the token, set it in the environment of the MCP server and restart the server:',
        `INSTANODE_TOKEN=${token}`,
      ].join('\n'),
  })

export const listResources = (deps: ToolDeps) =>
  defineTool({
    name: 'list_resources',
    title: 'List the resources of the account',
    description:
      'Lists the databases and receivers of the account that are not expired or deleted, the newest first. ' +
      'The result contains their tokens, but no connection URLs. A URL is shown once, at the creation.',
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
        return (
          'This account owns no resources: claim_token adds a resource that was created ' +
          'without an account.'
        )
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
      'Deletes a database or receiver that the account owns, with all of its data. Cannot be undone. ' +
      'Paid accounts only.',
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
