import { z } from 'zod'
import { defineTool, type ToolContext } from '../../../shared/mcp/define-tool.js'
import type { Caller } from '../service.js'
import type { ToolKit } from './context.js'
import { leadingLines, lifetimeLine, provisionedResult } from './provisioned.js'
import { expiresIn, provisionedOutput, resourceName } from './schemas.js'

export const createWebhook = (kit: ToolKit) =>
  defineTool({
    name: 'create_webhook',
    title: 'Create a webhook receiver',
    description:
      'Creates a URL that keeps what is sent to it, for looking at it later. Without an account: the last 100 requests, ' +
      'gone after 24 hours, 5 creations a day. Not safe to repeat: each call makes another.',
    input: z.strictObject({ name: resourceName }),
    output: z.strictObject({
      ...provisionedOutput,
      receive_url: z.string().describe('Whoever has it can send to it, and read what was sent'),
      limits: z.strictObject({ requests_stored: z.int(), expires_in: expiresIn }),
    }),
    hints: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
    async run({ name }, call: ToolContext<Caller>) {
      const made = await kit.service.createWebhook(call.caller, name, call)
      const { limits, url, expiresIn } = made
      return {
        ...provisionedResult(made),
        receive_url: url,
        limits: { requests_stored: limits.requestsStored, expires_in: expiresIn },
      }
    },
    render: result =>
      [
        'Webhook receiver provisioned.',
        '',
        ...leadingLines(result),
        `Receive URL: ${result.receive_url}`,
        `Requests stored: ${result.limits.requests_stored}`,
        ...lifetimeLine(result.limits.expires_in),
        `Note: ${result.note}`,
        '',
        'Send something, then read what came in:',
        `curl -X POST ${result.receive_url} -H 'Content-Type: application/json' -d '{"hello":"world"}'`,
        `curl ${result.receive_url}`,
      ].join('\n'),
  })
