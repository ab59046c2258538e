import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import {
  type CallToolResult,
  ErrorCode,
  ListToolsRequestSchema,
  McpError,
  type ProgressToken,
} from '@modelcontextprotocol/sdk/types.js'
import { Refusal } from '../errors.js'
import { isObject } from '../is-object.js'
import type { Log } from '../log.js'
import type { Call } from './conversation.js'
import { type Tool, type ToolContext, toolError } from './define-tool.js'
import type { McpHost } from './host.js'

export interface ToolServerOptions<Caller> {
  /** `serverInfo.name`. */
  name: string
  /** `serverInfo.version`. */
  version: string
  tools: readonly Tool<Caller>[]
  host: McpHost<Caller>
  log: Log
  /** A refusal in the service's own words. Default: `<tool> failed: <message>`. */
  refusal?: (tool: string, refusal: Refusal) => string
}

/** One SDK `Server` with the given tools, mounted behind `host`. */
export async function mountTools<Caller>(options: ToolServerOptions<Caller>): Promise<Server> {
  const { name, version, host } = options
  const tools = new Map(options.tools.map(tool => [tool.name, tool]))
  const listed = { tools: options.tools.map(tool => tool.listing) }
  const server = new Server({ name, version }, { capabilities: { tools: {} } })

  server.setRequestHandler(ListToolsRequestSchema, request => {
    const cursor = request.params?.cursor
    if (cursor === undefined) return listed
    throw new McpError(
      ErrorCode.InvalidParams,
      `unknown cursor ${JSON.stringify(cursor)}: this list has one page`,
    )
  })

  host.handle('tools/call', async (call, params) => {
    const { name: wanted, args } = readParams(params)
    const tool = tools.get(wanted)
    if (tool === undefined) return unknownTool(wanted, [...tools.keys()])
    return run(tool, args, contextOf(host, call, params?._meta?.progressToken), options)
  })

  await host.mount(server)
  return server
}

/** @throws McpError -32602: this is the shape of the request, not the tool's arguments */
function readParams(params: unknown): { name: string; args: Record<string, unknown> } {
  if (!isObject(params) || typeof params.name !== 'string') {
    throw new McpError(ErrorCode.InvalidParams, 'tools/call needs params.name, the name of a tool')
  }
  const { arguments: args = {} } = params
  if (!isObject(args)) {
    const kind = Array.isArray(args) ? 'an array' : `a ${typeof args}`
    throw new McpError(
      ErrorCode.InvalidParams,
      `tools/call needs params.arguments to be an object, not ${kind}`,
    )
  }
  return { name: params.name, args }
}

function contextOf<Caller>(
  host: McpHost<Caller>,
  call: Call<Caller>,
  progressToken: ProgressToken | undefined,
): ToolContext<Caller> {
  const { caller, cancellation } = call
  return {
    caller,
    get signal() {
      return cancellation.signal
    },
    progress:
      progressToken === undefined
        ? undefined
        : (progress, total, message) =>
            host.notify(call, {
              jsonrpc: '2.0',
              method: 'notifications/progress',
              params: { progressToken, progress, total, message },
            }),
  }
}

async function run<Caller>(
  tool: Tool<Caller>,
  args: Record<string, unknown>,
  context: ToolContext<Caller>,
  { refusal, log }: ToolServerOptions<Caller>,
): Promise<CallToolResult> {
  try {
    return await tool.call(args, context)
  } catch (error) {
    if (error instanceof Refusal) {
      return toolError(refusal?.(tool.name, error) ?? `${tool.name} failed: ${error.sentence}`)
    }
    log.error(`${tool.name} failed`, error)
    return toolError(
      `${tool.name} failed: internal error, and nothing the call could mend; the server's log has it`,
    )
  }
}

/** As both real services answer it: a tool error, not the protocol error the specification asks for. */
function unknownTool(wanted: string, known: string[]): CallToolResult {
  return toolError(`Unknown tool: ${wanted}. This server has ${known.join(', ')}.`)
}
