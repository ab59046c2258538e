import { z } from 'zod'
import { defineTool, type ToolContext } from '../../../shared/mcp/define-tool.js'
import type { Caller } from '../service.js'
import { requireToken, type ToolKit } from './context.js'

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
