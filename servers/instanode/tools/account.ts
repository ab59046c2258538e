import { z } from 'zod'
import { defineTool, type ToolContext } from '../../../shared/mcp/define-tool.js'
import type { Caller } from '../service.js'
import { requireToken, resourceToken, type ToolKit } from './context.js'

export const claimToken = (kit: ToolKit) =>
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
      const { id, token, type, name, tier, status } = await kit.service.claim(call.caller, args.token, call)
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

export const getApiToken = (kit: ToolKit) =>
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
    // The service answers a GET here, yet every call leaves one more credential in the world: this is no read.
    hints: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
    async run(_args, call: ToolContext<Caller>) {
      requireToken(call.caller)
      const { token, expiresInSeconds } = await kit.service.mintToken(call.caller, call)
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
