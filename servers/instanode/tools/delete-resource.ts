import { z } from 'zod'
import { defineTool, type ToolContext } from '../../../shared/mcp/define-tool.js'
import type { Caller } from '../service.js'
import { requireToken, type ToolKit } from './context.js'
import { resourceToken } from './schemas.js'

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
