import { z } from 'zod'
import { defineTool, type ToolContext } from '../../../shared/mcp/define-tool.js'
import type { Caller } from '../service.js'
import { requireToken, type ToolKit } from './context.js'
import { resourceToken } from './schemas.js'

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
